using FogCompute.Protocol;

namespace FogCompute.Node.Execution;

/// <summary>Limits of a lease that came without them (the server resolves them; these only keep an incomplete lease bounded).</summary>
internal static class Defaults
{
    public const int WallSeconds = 3600;
    public const long DiskBytes = 1L << 30;
    public const long OutputBytes = 64L << 20;
    public const int Processes = 256;
}

/// <summary>Shorthand for the ends of an attempt.</summary>
internal static class Results
{
    public static ExecutionResult Failed(string reason, string message) => End(AttemptOutcomes.Failed, reason, message);

    public static ExecutionResult Declined(string reason, string message) => End(AttemptOutcomes.Declined, reason, message);

    public static ExecutionResult DeviceError(string message) => End(AttemptOutcomes.DeviceError, ExecutionReasons.SandboxFailed, message);

    public static ExecutionResult Checkpointed() =>
        End(AttemptOutcomes.Preempted, ExecutionReasons.Checkpointed, "The program asked to be started again from its checkpoint.");

    public static ExecutionResult Cancelled() =>
        End(AttemptOutcomes.Cancelled, ExecutionReasons.Cancelled, "The attempt was stopped before it ended.");

    public static ExecutionResult TimedOut(TimeSpan limit) =>
        End(AttemptOutcomes.TimedOut, ExecutionReasons.WallLimit, $"The attempt ran longer than its limit of {limit.TotalSeconds} s. Raise limits.wall_seconds or shorten the work.");

    // The report carries at most 500 characters of message.
    private static ExecutionResult End(string outcome, string reason, string message) =>
        new() { Outcome = outcome, Reason = reason, Message = message.Length <= 500 ? message : message[..500] };
}
