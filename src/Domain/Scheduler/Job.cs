using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Quotes;

namespace FogCompute.Domain.Scheduler;

/// <summary>Clocks and sizes of one attempt; seconds and bytes.</summary>
public sealed record JobLimits(int QueueSeconds, int StageInSeconds, int WallSeconds, int StageOutSeconds, long MemoryBytes, long DiskBytes, long OutputBytes, int Processes);

/// <summary>What a requester asks for, after validation.</summary>
public sealed record JobRequest
{
    public required AccountId Account { get; init; }
    public required string Name { get; init; }
    public required SlaTier Tier { get; init; }
    public required Requirements Needs { get; init; }
    public required JobLimits Limits { get; init; }

    /// <summary>Expected run time of one task.</summary>
    public required TimeSpan Estimate { get; init; }

    /// <summary>Payload, inputs and outputs as the agent gets them, JSON.</summary>
    public required string Specification { get; init; }

    /// <summary>Checkpoint folder inside the work folder; null: exit code 85 is a failure like any other.</summary>
    public string? CheckpointPath { get; init; }
    public int TaskCount { get; init; } = 1;

    /// <summary>Most tasks leased at once; null: any number.</summary>
    public int? MaxConcurrent { get; init; }
    public int Priority { get; init; } = 50;
    public int Retries { get; init; } = 3;
    public bool Deterministic { get; init; } = true;
    public DateTimeOffset? Deadline { get; init; }
    public long? MaxPriceMicro { get; init; }
    public IReadOnlyList<JobId> DependsOn { get; init; } = [];
    public string PrivacyLevel { get; init; } = "public";

    /// <summary>Which trade-off placement makes for it; null: what its tier stands for.</summary>
    public PlanKind? Plan { get; init; }
}

/// <summary>What a submit takes from a quote: the most that each task is charged, and seconds to the quoted p95 of the finish.</summary>
public sealed record AcceptedQuote(Guid Id, long PricePerTaskMicro, double P95Seconds);

/// <summary>
/// A job: Submitted → Admitted → Running → Completed, with side exits. Counters of its tasks live here so that the end of the last task is
/// seen under the lock of this row.
/// </summary>
public sealed class Job
{
    /// <summary>From so many succeeded tasks on their mean says more than an estimate.</summary>
    public const int MeasuredTasks = 3;

    /// <summary>Rows of tasks written at once. A submit writes the first of a long array; more follow when few open ones are left.</summary>
    public const int Chunk = 10_000;

    /// <summary>A job without a deadline ends so long after its queue clock, finished or not: nothing is held for ever.</summary>
    public static readonly TimeSpan LongestLife = TimeSpan.FromDays(30);

    private Job() { }

    public JobId Id { get; private set; }
    public AccountId AccountId { get; private set; }
    public string Name { get; private set; } = "";
    public JobState State { get; private set; }

    /// <summary>Typed reason of a side exit or a wait, for example <c>dependency_failed</c>.</summary>
    public string? StateReason { get; private set; }
    public SlaTier SlaTier { get; private set; }
    public int CpuMillicores { get; private set; }
    public long MemoryBytes { get; private set; }
    public int Gpus { get; private set; }
    public Isolation Isolation { get; private set; }
    public NetworkNeed Network { get; private set; }
    public string PayloadKind { get; private set; } = "";
    public string[] Labels { get; private set; } = [];
    public string[] Regions { get; private set; } = [];
    public string[] ExcludedDevices { get; private set; } = [];
    public int Priority { get; private set; }
    public int Retries { get; private set; }
    public bool Deterministic { get; private set; }
    public string PrivacyLevel { get; private set; } = "public";
    public long EstimateMs { get; private set; }
    public int QueueSeconds { get; private set; }
    public int StageInSeconds { get; private set; }
    public int WallSeconds { get; private set; }
    public int StageOutSeconds { get; private set; }
    public long MemoryLimitBytes { get; private set; }
    public long DiskLimitBytes { get; private set; }
    public long OutputLimitBytes { get; private set; }
    public int ProcessLimit { get; private set; }

    /// <summary>Payload, inputs and outputs, JSON, exactly what agents get.</summary>
    public string Specification { get; private set; } = "{}";
    public string? CheckpointPath { get; private set; }
    public DateTimeOffset? Deadline { get; private set; }

    public PlanKind Plan { get; private set; }

    /// <summary>The quote that was named; null: none.</summary>
    public Guid? QuoteId { get; private set; }

    /// <summary>When it was quoted to have ended with 95 % probability.</summary>
    public DateTimeOffset? QuotedP95At { get; private set; }

    /// <summary>Whether it had; null: no quote, not ended, or ended before that without having completed, which tells nothing of the quote.</summary>
    public bool? WithinQuote { get; private set; }

    public long PriceCoreHourMicro { get; private set; }
    public long PriceGibHourMicro { get; private set; }
    public int PriceTierTenths { get; private set; }
    public int HoldMarginBp { get; private set; }
    public long FormulaVersion { get; private set; }

    /// <summary>Micro-credits for the whole job as quoted; the hold is each task's quote × the margin, under a named quote its price to the micro-credit.</summary>
    public long QuoteMicro { get; private set; }
    public long HoldPerTaskMicro { get; private set; }
    public long ChargedMicro { get; private set; }
    public int TaskCount { get; private set; }

    /// <summary>Most tasks leased at once; null: any number.</summary>
    public int? MaxConcurrent { get; private set; }

    /// <summary>Tasks that have a row: those with an index below this. The others wait like them, and are cancelled with them.</summary>
    public int Materialised { get; private set; }
    public int TasksSucceeded { get; private set; }
    public int TasksFailed { get; private set; }
    public int TasksCancelled { get; private set; }

    /// <summary>Sum over succeeded tasks of the mean wall milliseconds of their accepted attempts.</summary>
    public long RunMs { get; private set; }

    /// <summary>Jobs in depends_on that have not completed yet.</summary>
    public int DependenciesLeft { get; private set; }
    public DateTimeOffset SubmittedAt { get; private set; }
    public DateTimeOffset? StartedAt { get; private set; }
    public DateTimeOffset? FinishedAt { get; private set; }
    public bool? SlaMet { get; private set; }

    /// <summary>When it has ended at the latest; <c>ExpireJobs</c> sees to it.</summary>
    public DateTimeOffset EndsBy => Deadline ?? SubmittedAt + TimeSpan.FromSeconds(QueueSeconds) + LongestLife;

    public TierTerms Terms => TierTerms.Of(SlaTier).For(Deterministic, CheckpointPath is not null);

    /// <summary>What it was quoted and held by, and is charged by, whatever the pool decides afterwards.</summary>
    public PriceTerms Price => new(PriceCoreHourMicro, PriceGibHourMicro, PriceTierTenths, HoldMarginBp, FormulaVersion);
    public long HoldMicro => checked(HoldPerTaskMicro * TaskCount);

    /// <summary>Expected run time of one of its tasks: as measured once a few have succeeded, before that as the requester estimates.</summary>
    public TimeSpan ExpectedRun => TimeSpan.FromMilliseconds(TasksSucceeded >= MeasuredTasks ? RunMs / (double)TasksSucceeded : EstimateMs);

    /// <summary>Wall milliseconds of all its tasks as they are quoted: by estimate, or by a wall limit far beyond it.</summary>
    public long QuotedRunMs => checked((long)Price.QuotedRun(TimeSpan.FromMilliseconds(EstimateMs), WallSeconds).TotalMilliseconds * TaskCount);

    public int TasksLeft => TaskCount - TasksSucceeded - TasksFailed - TasksCancelled;
    public int TasksUnwritten => TaskCount - Materialised;

    public Requirements Needs => new()
    {
        CpuMillicores = CpuMillicores, MemoryBytes = MemoryBytes, Gpus = Gpus, DiskBytes = DiskLimitBytes, Isolation = Isolation, Network = Network,
        PayloadKind = PayloadKind, Labels = Labels, Regions = Regions, ExcludedDevices = ExcludedDevices, AttestedOnly = TierTerms.Of(SlaTier).AttestedOnly,
    };

    /// <summary>Validates against now, quotes and admits. The caller holds the funds in the same transaction or nothing happens.</summary>
    /// <param name="dependenciesLeft">How many of the jobs it depends on have not completed.</param>
    /// <param name="price">In force now, or when the named quote was given.</param>
    /// <param name="quote">The quote that was named: its price is what is held, and nothing above it is ever charged.</param>
    /// <exception cref="FogException">Deadline passed; quote above max_price.</exception>
    public static Job Submit(JobRequest request, int dependenciesLeft, DateTimeOffset now, PriceTerms price, AcceptedQuote? quote = null)
    {
        if (request.Deadline <= now)
            throw SchedulerErrors.DeadlinePassed.On("deadline");
        var needs = request.Needs;
        var terms = TierTerms.Of(request.Tier).For(request.Deterministic, request.CheckpointPath is not null);
        var perTask = quote?.PricePerTaskMicro ?? Pricing.Task(needs.CpuMillicores, needs.MemoryBytes, price, price.QuotedRun(request.Estimate, request.Limits.WallSeconds));
        var job = new Job
        {
            Id = JobId.New(now), AccountId = request.Account, Name = request.Name, State = JobState.Submitted, SlaTier = request.Tier,
            CpuMillicores = needs.CpuMillicores, MemoryBytes = needs.MemoryBytes, Gpus = needs.Gpus, Isolation = needs.Isolation, Network = needs.Network,
            PayloadKind = needs.PayloadKind, Labels = [.. needs.Labels], Regions = [.. needs.Regions], ExcludedDevices = [.. needs.ExcludedDevices],
            Priority = request.Priority, Retries = request.Retries, Deterministic = request.Deterministic, PrivacyLevel = request.PrivacyLevel,
            EstimateMs = (long)request.Estimate.TotalMilliseconds, QueueSeconds = request.Limits.QueueSeconds, StageInSeconds = request.Limits.StageInSeconds,
            WallSeconds = request.Limits.WallSeconds, StageOutSeconds = request.Limits.StageOutSeconds, MemoryLimitBytes = request.Limits.MemoryBytes,
            DiskLimitBytes = request.Limits.DiskBytes, OutputLimitBytes = request.Limits.OutputBytes, ProcessLimit = request.Limits.Processes,
            Specification = request.Specification, CheckpointPath = request.CheckpointPath, Deadline = request.Deadline, TaskCount = request.TaskCount,
            MaxConcurrent = request.MaxConcurrent, Materialised = Math.Min(request.TaskCount, Chunk), DependenciesLeft = dependenciesLeft,
            QuoteMicro = checked(perTask * request.TaskCount), HoldPerTaskMicro = quote?.PricePerTaskMicro ?? price.Hold(perTask), SubmittedAt = now,
            PriceCoreHourMicro = price.CoreHourMicro, PriceGibHourMicro = price.GibHourMicro, PriceTierTenths = price.TierTenths, HoldMarginBp = price.HoldMarginBp, FormulaVersion = price.FormulaVersion,
            Plan = request.Plan ?? terms.Plan, QuoteId = quote?.Id, QuotedP95At = quote is null ? null : QuotePlan.After(now, quote.P95Seconds),
        };
        if (request.MaxPriceMicro is { } cap && job.QuoteMicro > cap)
            throw SchedulerErrors.OverMaxPrice(Pricing.Credits(job.QuoteMicro)).On("max_price");
        job.State = Transitions.Job.Move(job.State, JobState.Admitted);
        return job;
    }

    /// <summary>The first lease of any of its tasks. A paused job is only ever resumed by its requester.</summary>
    public void Start(DateTimeOffset now)
    {
        if (State == JobState.Running)
            return;
        if (State == JobState.Paused)
            throw new FogException(SchedulerErrors.Paused);
        State = Transitions.Job.Move(State, JobState.Running);
        StartedAt ??= now;
    }

    public void Pause()
    {
        if (State == JobState.Paused)
            throw new FogException(SchedulerErrors.AlreadyPaused);
        RequireOpen();
        State = Transitions.Job.Move(State, JobState.Paused);
    }

    public void Resume()
    {
        RequireOpen();
        if (State != JobState.Paused)
            throw new FogException(SchedulerErrors.NotPaused(State));
        State = Transitions.Job.Move(State, StartedAt is null ? JobState.Admitted : JobState.Running);
    }

    public void Cancel(DateTimeOffset now, string reason = "cancelled_by_requester")
    {
        RequireOpen();
        End(JobState.Cancelled, now, reason);
    }

    /// <summary>The deadline or the queue clock ran out.</summary>
    public void Expire(DateTimeOffset now, string reason) => End(JobState.Expired, now, reason);

    public void FailDependency(DateTimeOffset now) => End(JobState.Failed, now, "dependency_failed");

    /// <summary>All tasks have ended: completed when none failed.</summary>
    public void Finish(DateTimeOffset now)
    {
        if (TasksLeft > 0)
            throw new InvalidOperationException($"Job {Id} still has {TasksLeft} open tasks.");
        if (State == JobState.Admitted)
            State = Transitions.Job.Move(State, JobState.Running);
        if (TasksFailed > 0)
            End(JobState.Failed, now, TaskCount == 1 ? "task_failed" : $"tasks_failed:{TasksFailed}");
        else
            End(JobState.Completed, now, null);
        // Bound of the tier: its longest queueing plus twice the estimate, tasks one after the other.
        var bound = TierTerms.Of(SlaTier).QueueBound + TimeSpan.FromMilliseconds(2.0 * EstimateMs * TaskCount);
        SlaMet = State == JobState.Completed && FinishedAt - SubmittedAt <= bound;
    }

    private void End(JobState state, DateTimeOffset now, string? reason)
    {
        State = Transitions.Job.Move(State, state);
        StateReason = reason;
        FinishedAt = now;
        if (QuotedP95At is { } promised && (state == JobState.Completed || now > promised))
            WithinQuote = state == JobState.Completed && now <= promised;
    }

    private void RequireOpen()
    {
        if (!State.IsOpen())
            throw new FogException(SchedulerErrors.Finished(State));
    }
}
