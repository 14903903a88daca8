using System.Globalization;

namespace FogCompute.Api.Http;

/// <summary>What this process tells about itself, and to whom.</summary>
/// <param name="ScrapeKey"><c>FOG_SCRAPE_KEY</c>: bearer token that opens <c>/metrics</c> and nothing else; null: none.</param>
/// <param name="RequestLines"><c>FOG_REQUEST_LOG</c>: most request lines in the log per second, 0–100 000, default 100; 0: none.</param>
public sealed record TelemetrySettings(string? ScrapeKey, int RequestLines)
{
    private const int ShortestKey = 16;

    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static TelemetrySettings Read(IConfiguration settings)
    {
        var key = settings["FOG_SCRAPE_KEY"] is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;
        // The key itself stays out of the message: it ends up in logs.
        if (key is { Length: < ShortestKey })
            throw new ConfigurationException($"FOG_SCRAPE_KEY has {key.Length} characters; allowed are {ShortestKey} or more (try: openssl rand -hex 24).");
        var lines = settings["FOG_REQUEST_LOG"] is { } wanted && !string.IsNullOrWhiteSpace(wanted) ? wanted.Trim() : "100";
        if (!int.TryParse(lines, NumberStyles.None, CultureInfo.InvariantCulture, out var perSecond) || perSecond > 100_000)
            throw new ConfigurationException($"FOG_REQUEST_LOG is '{lines}'; allowed is a whole number of lines per second from 0 (none) to 100000.");
        return new TelemetrySettings(key, perSecond);
    }
}
