using System.Globalization;
using FogCompute.Application.Scheduler;

namespace FogCompute.Api.Http;

/// <summary>The scheduler's knobs from the environment.</summary>
internal static class SchedulerSettings
{
    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static SchedulerOptions Read(IConfiguration settings)
    {
        var defaults = new SchedulerOptions();
        return new SchedulerOptions
        {
            DeviceSilenceSeconds = Whole(settings, "FOG_DEVICE_SILENCE_SECONDS", defaults.DeviceSilenceSeconds, 2, 86_400),
            LeaseSeconds = Whole(settings, "FOG_LEASE_SECONDS", defaults.LeaseSeconds, 5, 86_400),
            AuditWaitSeconds = Whole(settings, "FOG_AUDIT_WAIT_SECONDS", defaults.AuditWaitSeconds, 1, 86_400),
            AccountConcurrency = settings["FOG_ACCOUNT_CONCURRENCY"] is { Length: > 0 } ? Whole(settings, "FOG_ACCOUNT_CONCURRENCY", 0, 1, 1_000_000, "replicas") : null,
            RequireDistinctOwners = settings["FOG_DISTINCT_OWNERS"] is { Length: > 0 } text
                ? bool.TryParse(text, out var value) ? value : throw new ConfigurationException($"FOG_DISTINCT_OWNERS is '{text}'; allowed are true and false.")
                : defaults.RequireDistinctOwners,
            Preemption = settings["FOG_PREEMPTION"] switch
            {
                null or "" => defaults.Preemption,
                "on" => true,
                "off" => false,
                var word => throw new ConfigurationException($"FOG_PREEMPTION is '{word}'; allowed are on and off."),
            },
        };
    }

    private static int Whole(IConfiguration settings, string key, int standard, int least, int most, string unit = "seconds")
    {
        if (settings[key] is not { Length: > 0 } text)
            return standard;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new ConfigurationException($"{key} is '{text}'; allowed is a whole number of {unit} from {least} to {most}.");
    }
}
