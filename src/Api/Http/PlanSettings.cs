using System.Globalization;
using FogCompute.Domain.Identity;

namespace FogCompute.Api.Http;

/// <summary>What the plans allow, from the environment.</summary>
internal static class PlanSettings
{
    private const string None = "none";

    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static Plans Read(IConfiguration settings) => new(
        Limits(settings, "FOG_PLAN_FREE", Plans.Default.Free), Limits(settings, "FOG_PLAN_PRO", Plans.Default.Pro), Limits(settings, "FOG_PLAN_ENTERPRISE", Plans.Default.Enterprise));

    private static PlanLimits Limits(IConfiguration settings, string key, PlanLimits normal)
    {
        if (settings[key] is not { } text || string.IsNullOrWhiteSpace(text))
            return normal;
        var parts = text.Split('/', StringSplitOptions.TrimEntries);
        return parts.Length == 3 && Amount(parts[0], out var hours) && Amount(parts[1], out var calls) && (calls is null || calls == Math.Floor(calls.Value)) && Amount(parts[2], out var gib)
            ? new PlanLimits(hours, (long?)calls, gib)
            : throw new ConfigurationException($"{key} is '{text}'; allowed is compute hours a day/API calls a day/GiB of artifacts, each 0–1000000000 or none, for example 10/5000/5.");
    }

    private static bool Amount(string text, out double? amount)
    {
        amount = null;
        if (text == None)
            return true;
        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value is not (>= 0 and <= 1e9))
            return false;
        amount = value;
        return true;
    }
}
