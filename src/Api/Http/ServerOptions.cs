using System.Globalization;
using System.Net;

namespace FogCompute.Api.Http;

/// <summary>A setting that cannot be used. The message names the key, the value and what is allowed; the process ends with it.</summary>
public sealed class ConfigurationException(string message) : Exception(message);

/// <summary>Where the server listens and whom it lets in. Read from the environment (or <c>--KEY=value</c> arguments).</summary>
public sealed record ServerOptions
{
    /// <summary><c>API_HOST</c>, default 127.0.0.1: an IP address or <c>localhost</c>. Anything but loopback switches the local operator off.</summary>
    public required string Host { get; init; }

    /// <summary>Address of <see cref="Host"/>.</summary>
    public required IPAddress Address { get; init; }

    /// <summary><c>API_PORT</c>, default 8000; 0 takes a free one.</summary>
    public required int Port { get; init; }

    /// <summary><c>CORS_ORIGINS</c>: origins of browsers that may call, separated by commas. Default: the control panel on this machine.</summary>
    public required IReadOnlyList<string> CorsOrigins { get; init; }

    /// <summary><c>FOG_HOME</c>, default ~/.fogcompute: folder for everything that is kept on disk.</summary>
    public required string Home { get; init; }

    /// <summary><c>FOG_LEDGER_KEY</c>, default ledger-key.pem in <see cref="Home"/>: file of the key that signs the ledger's checkpoints.</summary>
    public required string LedgerKey { get; init; }

    /// <summary><c>FOG_ARTIFACT_MAX_BYTES</c>: largest artifact, bytes, 1 to 1 TiB; default 1 GiB.</summary>
    public required long ArtifactMaxBytes { get; init; }

    /// <summary><c>FOG_DRAIN_SECONDS</c>, 0 to 300, default 0: how long requests are still served after SIGTERM while <c>/readyz</c> answers 503 already.</summary>
    public required TimeSpan Drain { get; init; }

    public bool IsLoopback => IPAddress.IsLoopback(Address);

    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static ServerOptions Read(IConfiguration settings)
    {
        var host = Text(settings, "API_HOST") ?? "127.0.0.1";
        var address = host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback
            : IPAddress.TryParse(host.Trim('[', ']'), out var parsed) ? parsed
            : throw new ConfigurationException($"API_HOST is '{host}'; allowed is an IP address (127.0.0.1, 0.0.0.0, ::1) or localhost.");

        var portText = Text(settings, "API_PORT") ?? "8000";
        if (!int.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > 65535)
            throw new ConfigurationException($"API_PORT is '{portText}'; allowed is a whole number from 0 (any free port) to 65535.");

        var origins = (Text(settings, "CORS_ORIGINS") ?? "http://localhost:3000,http://127.0.0.1:3000")
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(o => o.TrimEnd('/')).ToList();
        foreach (var origin in origins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || !string.Equals(uri.GetLeftPart(UriPartial.Authority), origin, StringComparison.OrdinalIgnoreCase))
                throw new ConfigurationException($"CORS_ORIGINS contains '{origin}'; allowed are origins such as http://localhost:3000, separated by commas ('*' would let any site act for you).");
        }

        var home = Text(settings, "FOG_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".fogcompute");
        var sizeText = Text(settings, "FOG_ARTIFACT_MAX_BYTES") ?? (1L << 30).ToString(CultureInfo.InvariantCulture);
        if (!long.TryParse(sizeText, NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size is < 1 or > 1L << 40)
            throw new ConfigurationException($"FOG_ARTIFACT_MAX_BYTES is '{sizeText}'; allowed is a whole number of bytes from 1 to {1L << 40}.");

        var drainText = Text(settings, "FOG_DRAIN_SECONDS") ?? "0";
        if (!double.TryParse(drainText, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var drain) || drain is not (>= 0 and <= 300))
            throw new ConfigurationException($"FOG_DRAIN_SECONDS is '{drainText}'; allowed is a number of seconds from 0 to 300.");

        return new ServerOptions
        {
            Host = host, Address = address, Port = port, CorsOrigins = origins, Home = Path.GetFullPath(home),
            LedgerKey = Path.GetFullPath(Text(settings, "FOG_LEDGER_KEY") ?? Path.Combine(home, "ledger-key.pem")), ArtifactMaxBytes = size, Drain = TimeSpan.FromSeconds(drain),
        };
    }

    private static string? Text(IConfiguration settings, string key) => settings[key] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
}
