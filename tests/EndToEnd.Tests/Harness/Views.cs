using FogCompute.Protocol;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>Body of a submit; what is null is not sent.</summary>
internal sealed record JobRequest
{
    public required string Name { get; init; }
    public string SlaTier { get; init; } = "bronze";
    public double CpuRequired { get; init; } = 0.1;
    public double MemoryRequired { get; init; } = 64;

    /// <summary>Minutes.</summary>
    public double DurationEstimate { get; init; } = 1;
    public required PayloadSpec Payload { get; init; }
    public ArrayOf? Array { get; init; }
    public IReadOnlyList<InputSpec>? Inputs { get; init; }
    public IReadOnlyList<string>? Outputs { get; init; }
    public IReadOnlyList<Guid>? DependsOn { get; init; }
    public int? Retries { get; init; }
    public CheckpointSpec? Checkpoint { get; init; }

    /// <summary>0–100, higher first.</summary>
    public int? Priority { get; init; }

    /// <summary>False: one replica, no audit, so that the number of attempts is known beforehand.</summary>
    public bool? Deterministic { get; init; }
    public ConstraintsOf? Constraints { get; init; }

    public static PayloadSpec Noop { get; } = new() { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Noop };

    public static PayloadSpec Sleep(double seconds) =>
        new() { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Sleep, Parameters = new Dictionary<string, double> { ["seconds"] = seconds } };

    public static PayloadSpec Command(params string[] argv) => new() { Kind = PayloadKinds.Command, Argv = argv };

    /// <summary>One square tile of a picture of <paramref name="across"/> × <paramref name="across"/> tiles.</summary>
    public static PayloadSpec Tile(int across, int pixels) => new()
    {
        Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.MandelbrotTile,
        Parameters = new Dictionary<string, double> { ["width"] = across * pixels, ["height"] = across * pixels, ["columns"] = across, ["rows"] = across, ["max_iterations"] = 50 },
    };
}

internal sealed record ArrayOf(int Count);

internal sealed record ConstraintsOf(IReadOnlyList<string> Labels);

internal sealed record Submitted(Guid JobId, string Status, string Sla, decimal Quote, decimal Held);

internal sealed record JobView(
    Guid Id, string Name, string Status, string? Reason, DateTimeOffset Submitted, DateTimeOffset? Started, DateTimeOffset? Completed, IReadOnlyList<string> Logs,
    TaskCountsView Tasks, CostView Cost, IReadOnlyList<AttemptView> Attempts, ResultView? Result);

internal sealed record TaskCountsView(int Total, int Pending, int Ready, int Leased, int Running, int Verifying, int Succeeded, int Failed, int Cancelled);

internal sealed record CostView(decimal Quoted, decimal Held, decimal Charged);

internal sealed record AttemptView(
    Guid Id, int TaskIndex, int Replica, int Epoch, string Device, string State, string? Reason, DateTimeOffset LeasedAt, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, long WallMs)
{
    public bool IsLive => State is "leased" or "staging" or "running" or "uploading";
}

internal sealed record ResultView(string Digest, int? ExitCode, IReadOnlyList<OutputFile> Outputs, string? Stdout, string? Stderr);

internal sealed record JobListView(IReadOnlyList<JobListItem> Jobs, int Total, Guid? Next);

internal sealed record JobListItem(Guid Id, string Name, string Status);

internal sealed record TaskListView(IReadOnlyList<TaskView> Tasks, int? Next);

internal sealed record TaskView(int Index, string State, string? Device, int Attempts, IReadOnlyList<OutputFile> Outputs, decimal Cost, string? Reason, CountersView Counters);

internal sealed record CountersView(int JobErrors, int DeviceLosses, int Evictions);

internal sealed record WhyView(string State, string Summary, IReadOnlyList<ReasonView> Reasons, WhyDevicesView Devices);

internal sealed record ReasonView(string Code, string Message, int? Count);

internal sealed record WhyDevicesView(int Total, int Eligible, IReadOnlyDictionary<string, int> Refused);

internal sealed record ChangedView(bool Success, Guid JobId, string Status);

internal sealed record PaymentsView(IReadOnlyList<PaymentView> Payments, decimal Fee, decimal Burned, decimal Total);

internal sealed record PaymentView(string Device, decimal Amount);

internal sealed record DeviceView(string Id, string Status, string State, string? Reason, DeviceStatsView Stats, double Trust);

/// <param name="Uptime">Availability, 0–1.</param>
internal sealed record DeviceStatsView(long TasksCompleted, double Uptime, long Losses, long Evictions);

internal sealed record DeviceWhyView(string State, string? Reason, string Summary);

internal sealed record BalanceView(string Address, decimal Balance, decimal Held, decimal Total, decimal Rewards);

internal sealed record AuditView(bool Balanced, decimal Cap, decimal Supply, decimal Burned, decimal Fees, decimal Held, long OpenHolds, long Unsealed, IReadOnlyList<DifferenceView> Differences);

internal sealed record DifferenceView(string Check, string Subject, string Expected, string Found);

internal sealed record LedgerView(IReadOnlyList<LedgerLineView> Entries, string? Next);

internal sealed record LedgerLineView(string Kind, decimal Amount, string Account, Guid? JobId, int? TaskIndex);

internal sealed record StakedView(bool Success, decimal TotalStaked, DateTimeOffset LockedUntil);

internal sealed record SlashesView(IReadOnlyList<SlashView> Slashes, long Total);

internal sealed record SlashView(
    Guid Id, string Address, string Reason, decimal Amount, string State, Guid JobId, int TaskIndex, string DeviceId, Guid AttemptId, string Harmed, DateTimeOffset CreatedAt, DateTimeOffset AppealUntil);

internal sealed record ProposedView(bool Success, string ProposalId);

internal sealed record ProposalView(string Id, string Status, string? Reason, decimal VotesFor, decimal VotesAgainst, decimal VotesAbstain);

internal sealed record BallotView(bool Success, string ProposalId, string Vote, decimal Power);

internal sealed record ParameterView(string Name, long Value, long Default, string? Proposal);

internal sealed record RecurringJobsView(IReadOnlyList<RecurringJobView> Jobs);

internal sealed record RecurringJobView(string Name, string Kind, double PeriodSeconds, RecurringRunView? LastRun);

internal sealed record RecurringRunView(DateTimeOffset Started, string Outcome);
