using System.Globalization;
using FogCompute.Application.Common.Security;

namespace FogCompute.Api.Http;

/// <summary>How often whom may call; null: as often as they like.</summary>
/// <param name="User">Each API key or user.</param>
/// <param name="Device">Each device; agents poll, report progress and results.</param>
/// <param name="Anonymous">Each address without an identity, and each that sends bad tokens.</param>
/// <param name="SignIn">Each address that is not signed in, under /api/auth.</param>
public sealed record RateSettings(BucketPolicy? User, BucketPolicy? Device, BucketPolicy? Anonymous, BucketPolicy? SignIn)
{
    private const int MostRequests = 10_000_000;
    private const int MostSeconds = 86_400;

    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static RateSettings Read(IConfiguration settings) => new(
        Policy(settings, "FOG_RATE_USER", "user", "6000/60"),
        Policy(settings, "FOG_RATE_DEVICE", "device", "60000/60"),
        Policy(settings, "FOG_RATE_ANONYMOUS", "anonymous", "600/60"),
        Policy(settings, "FOG_RATE_SIGN_IN", "sign-in", "30/60"));

    private static BucketPolicy? Policy(IConfiguration settings, string key, string name, string normal)
    {
        var text = settings[key] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : normal;
        if (text == "off")
            return null;
        return text.Split('/') is [var left, var right]
            && int.TryParse(left, NumberStyles.None, CultureInfo.InvariantCulture, out var requests) && requests is >= 1 and <= MostRequests
            && int.TryParse(right, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 1 and <= MostSeconds
            ? new BucketPolicy(name, requests, (double)requests / seconds)
            : throw new ConfigurationException($"{key} is '{text}'; allowed is requests/seconds (1–{MostRequests} in 1–{MostSeconds}), for example {normal}, or off.");
    }
}
