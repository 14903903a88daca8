using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>One task of a job with devices at hand, driven by what its attempts do.</summary>
internal sealed class TaskWorld
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    public static readonly TimeSpan LeaseTime = TimeSpan.FromMinutes(10);

    /// <summary>Bronze price of one core and 1 GiB: 150 000 micro-credits an hour.</summary>
    public const int Millicores = 1000;
    public const long Memory = 1L << 30;

    private int _ids;

    public TaskWorld(SlaTier tier, bool deterministic = true, int retries = 3, long hold = long.MaxValue)
    {
        var terms = new JobTerms(TierTerms.Of(tier).For(deterministic), Prices.Of(tier), retries, Millicores, Memory, hold);
        Execution = new TaskExecution(JobTask.Create(new JobId(Guid.CreateVersion7(Start)), 0, terms.Tier.Replicas, ready: true, Start), [], terms);
    }

    public TaskExecution Execution { get; }
    public JobTask Task => Execution.Task;
    public DateTimeOffset Now { get; set; } = Start;
    public IEnumerable<Attempt> LiveAttempts => Execution.Attempts.Where(a => a.State.IsLive());

    public Attempt Lease(string? device = null)
    {
        Now += TimeSpan.FromSeconds(1);
        return Execution.Lease(new AttemptId(Guid.CreateVersion7(Now)), device ?? $"device-{++_ids}", Now, LeaseTime);
    }

    /// <summary>A fresh lease on another device, reported with this digest.</summary>
    public TaskOutcome Return(string digest, long wallMs = 1000, bool audit = false) => Report(Lease(), digest, wallMs, audit);

    public TaskOutcome Report(Attempt attempt, string digest, long wallMs = 1000, bool audit = false) =>
        Execution.Report(attempt, new AttemptResult { End = AttemptState.Reported, OutputDigest = digest, WallMs = wallMs, StartedAt = Now, FinishedAt = Now }, audit, 0.5, Now);

    public TaskOutcome End(Attempt attempt, AttemptState end, string? reason = null, double jitter = 0.5) =>
        Execution.Report(attempt, new AttemptResult { End = end, Reason = reason }, audit: false, jitter, Now);

    public TaskOutcome Crash(Attempt attempt) => End(attempt, AttemptState.Crashed, "exit_code");
}
