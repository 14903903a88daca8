using System.Text.Json.Serialization;
using FluentValidation;
using FluentValidation.Results;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Quotes;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Scheduler;

// POST /api/scheduler/quotes
// Plans the job on the pool as it is and keeps the plans for a minute, each with a price that is never exceeded. Holds nothing, queues nothing.

/// <summary>Ask what a job would cost and when it would be done; the body is that of a submit.</summary>
[RequiresPermission(Permissions.JobsWrite)]
public sealed record QuoteJobCommand : ICommand<JobQuote>
{
    [JsonIgnore]
    public required SubmitJobCommand Job { get; init; }
}

public sealed record JobQuote
{
    public bool Success { get; init; } = true;

    /// <summary>Name it as quote_id in a submit with this very body.</summary>
    public required Guid QuoteId { get; init; }

    /// <summary>A minute after it was given.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>The job that was submitted under it; a quote is good for one.</summary>
    public Guid? JobId { get; init; }
    public required int Tasks { get; init; }

    /// <summary>Devices that run each task at first.</summary>
    public required int Replicas { get; init; }

    /// <summary>Three to five plans, none better than another in everything; fewer where the devices leave no more to choose; none: see reasons.</summary>
    public required IReadOnlyList<QuotedPlan> Plans { get; init; }

    /// <summary>The plan that a submit gets which names none; null: there is none.</summary>
    public string? Recommended { get; init; }

    /// <summary>The whole front, by finish.</summary>
    public required IReadOnlyList<QuotedPoint> Front { get; init; }

    /// <summary>Why there is no plan, in the codes of why; empty when there is one.</summary>
    public required IReadOnlyList<WhyReason> Reasons { get; init; }

    /// <summary>What finished runs said about estimates when this was worked out.</summary>
    public required QuoteBasis Basis { get; init; }

    /// <summary>How well quotes have been kept so far; null before the first job that tells.</summary>
    public QuoteCalibration? Calibration { get; init; }

    internal static JobQuote Of(StoredQuote quote, QuoteCalibration? calibration) => new()
    {
        QuoteId = quote.Id, ExpiresAt = quote.ExpiresAt, JobId = quote.Job?.Value, Tasks = quote.Content.Tasks, Replicas = quote.Content.Replicas,
        Plans = [.. quote.Content.Plans.Select(p => QuotedPlan.Of(p, quote.CreatedAt))],
        Recommended = quote.Content.Plans.Count > 0 ? JobWords.Word(PlanKind.Knee) : null,
        Front = [.. quote.Content.Front.Select(p => new QuotedPoint(Math.Round(p.FinishSeconds, 3), Pricing.Credits((long)Math.Ceiling(p.CostMicro)), Math.Round(p.Joules, 3), Math.Round(p.Risk, 6), JobWords.Words(p.Names)))],
        Reasons = quote.Content.Reasons,
        Basis = new QuoteBasis(quote.Content.Runs.Runs, Math.Round(Math.Exp(quote.Content.Runs.Bias), 4), Math.Round(quote.Content.Runs.Spread, 4)),
        Calibration = calibration,
    };
}

public sealed record QuotedPlan
{
    /// <summary>What a submit calls it: its first name.</summary>
    public required string Plan { get; init; }

    /// <summary>Every wish that it answers best.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>Credits, the most that is charged for the whole job. Guaranteed, and what is held.</summary>
    public required decimal Price { get; init; }

    /// <summary>Credits that metering is expected to come to.</summary>
    public required decimal ExpectedCharge { get; init; }
    public required QuotedFinish Finish { get; init; }

    /// <summary>Share of simulated jobs in which a task failed or the job expired, 0–1.</summary>
    public required double FailureRisk { get; init; }

    /// <summary>Joules above idle.</summary>
    public required double EnergyJoules { get; init; }
    public required int Devices { get; init; }

    /// <summary>Runs at a time.</summary>
    public required int Slots { get; init; }

    /// <summary>Expected seconds until its first device is free; 0: now.</summary>
    public required double WaitSeconds { get; init; }

    internal static QuotedPlan Of(QuotePlan plan, DateTimeOffset from) => new()
    {
        Plan = JobWords.Word(plan.Names[0]), Names = JobWords.Words(plan.Names), Price = Pricing.Credits(plan.PriceMicro), ExpectedCharge = Pricing.Credits(plan.ExpectedChargeMicro),
        Finish = new QuotedFinish(Math.Round(plan.P50Seconds, 3), Math.Round(plan.P95Seconds, 3), QuotePlan.After(from, plan.P50Seconds), QuotePlan.After(from, plan.P95Seconds)),
        FailureRisk = Math.Round(plan.FailureRisk, 6), EnergyJoules = Math.Round(plan.Joules, 3), Devices = plan.Slots.Count, Slots = plan.Slots.Values.Sum(), WaitSeconds = Math.Round(plan.WaitSeconds, 3),
    };
}

/// <summary>Seconds from the submit until the job's last task has ended, and the moments if it is submitted at once (null beyond the calendar).</summary>
public sealed record QuotedFinish(double P50Seconds, double P95Seconds, DateTimeOffset? P50, DateTimeOffset? P95);

/// <param name="Risk">Mean probability that a run does not end well, 0–1.</param>
public sealed record QuotedPoint(double FinishSeconds, decimal CostCredits, double EnergyJoules, double Risk, IReadOnlyList<string> Names);

/// <param name="FinishedRuns">Finished runs that estimates were corrected by; 0: none, estimates are taken as they are.</param>
/// <param name="RunTimeFactor">Median run time relative to the estimate.</param>
/// <param name="Spread">Standard deviation of the logarithm of that.</param>
public sealed record QuoteBasis(int FinishedRuns, double RunTimeFactor, double Spread);

internal sealed class QuoteJobValidator : AbstractValidator<QuoteJobCommand>
{
    private const string MeansNothing = "means nothing to a quote; leave it out here and name it in the submit.";

    public QuoteJobValidator(IValidator<SubmitJobCommand> submit) => RuleFor(c => c.Job).Custom((job, context) =>
    {
        foreach (var failure in submit.Validate(job).Errors)
            context.AddFailure(failure);
        if (job.QuoteId is not null)
            context.AddFailure(new ValidationFailure(nameof(job.QuoteId), MeansNothing));
        if (job.Plan is not null)
            context.AddFailure(new ValidationFailure(nameof(job.Plan), MeansNothing));
    });
}

internal sealed class QuoteJobHandler(
    ISchedulerDb db, IJobQueue queue, IArtifactCatalog artifacts, IPlacementPool pool, IRunHistory history, IPoolLoad load, IQuotes quotes, IParameters parameters, CallerContext context,
    SchedulerOptions options, Random random, TimeProvider time)
    : ICommandHandler<QuoteJobCommand, JobQuote>
{
    public async Task<JobQuote> Handle(QuoteJobCommand command, CancellationToken cancellationToken)
    {
        // To the microsecond, as the database keeps it: what is answered now is what is read again.
        var clock = time.GetUtcNow();
        var now = clock.AddTicks(-(clock.Ticks % TimeSpan.TicksPerMicrosecond));
        var draft = await new JobDrafts(db, queue, artifacts, context.Caller).MakeAsync(command.Job, DependencyLock.None, cancellationToken);
        // As a submit would make it; what it refuses for another reason than the price, a quote refuses.
        var values = await parameters.CurrentAsync(cancellationToken);
        var job = Job.Submit(draft.Request with { MaxPriceMicro = null }, draft.DependenciesLeft, now, values.PriceOf(draft.Request.Tier));
        var runs = await history.OfAccountAsync(job.AccountId, now, cancellationToken);
        var content = draft.DependenciesLeft > 0
            ? new QuoteContent(job.TaskCount, job.Terms.Replicas, [], [],
                [new WhyReason("waiting_for_dependencies", "Jobs named in depends_on have not completed; nothing measured says when they will.", draft.DependenciesLeft)], runs, job.Price)
            : await PlanAsync(job, runs, values.AuditsOf(job.Terms).TierRate, now, cancellationToken);
        var least = content.Plans.Count > 0 ? content.Plans.Min(p => p.PriceMicro) : job.QuoteMicro;
        if (least > draft.Request.MaxPriceMicro)
            throw SchedulerErrors.OverMaxPrice(Pricing.Credits(least)).On("max_price");

        var quote = new StoredQuote(Guid.CreateVersion7(now), job.AccountId, draft.Fields, content, now, now + SchedulerOptions.QuoteLife);
        await quotes.AddAsync(quote, cancellationToken);
        return JobQuote.Of(quote, await quotes.CalibrationAsync(cancellationToken));
    }

    private async Task<QuoteContent> PlanAsync(Job job, RunStatistics runs, double auditRate, DateTimeOffset now, CancellationToken cancel)
    {
        var devices = await pool.DevicesAsync(now, cancel);
        var problem = new QuoteProblem
        {
            Needs = job.Needs, Terms = job.Terms, Price = job.Price, AuditRate = auditRate, TaskCount = job.TaskCount, MaxConcurrent = job.MaxConcurrent, Estimate = TimeSpan.FromMilliseconds(job.EstimateMs), Runs = runs,
            WallLimit = TimeSpan.FromSeconds(job.WallSeconds), Retries = job.Retries, QueueLimit = TimeSpan.FromSeconds(job.QueueSeconds), Deadline = job.Deadline,
            Devices = devices, LossDetection = options.Silence, Now = now, Seed = (ulong)random.NextInt64(),
        };
        var outcome = QuotePlanner.Plan(problem, time, cancel);
        if (outcome.Refused.ContainsKey(Refusals.Busy))
            outcome = QuotePlanner.Plan(await WithLoadAsync(problem, job.Priority, cancel), time, cancel);
        return new QuoteContent(job.TaskCount, job.Terms.Replicas, outcome.Plans, outcome.Front, outcome.Plans.Count > 0 ? [] : [.. Reasons(job, devices.Count, outcome)], runs, job.Price);
    }

    /// <summary>Nothing is free: when that changes follows from what runs and what is served first.</summary>
    private async Task<QuoteProblem> WithLoadAsync(QuoteProblem problem, int priority, CancellationToken cancel)
    {
        var reference = RunModel.ReferenceScore(problem.Devices);
        var devices = problem.Devices.ToDictionary(d => d.Id, StringComparer.Ordinal);
        var factor = Math.Exp(problem.Runs.Bias);
        var busy = (await load.LiveRunsAsync(cancel)).Where(r => devices.ContainsKey(r.DeviceId)).GroupBy(r => r.DeviceId, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Max(run =>
            RunModel.RemainingSeconds(RunModel.Seconds(run.Estimate, devices[run.DeviceId], reference) * factor + problem.Runs.OverheadSeconds, problem.Runs.Spread, (problem.Now - run.Since).TotalSeconds)), StringComparer.Ordinal);
        return problem with { BusySeconds = busy, BacklogSeconds = await load.BacklogSecondsAsync(priority, cancel) * factor };
    }

    private static IEnumerable<WhyReason> Reasons(Job job, int devices, QuoteOutcome outcome)
    {
        if (devices == 0)
            yield return WhyReasons.NoDevices;
        else if (outcome.Suitable < job.Terms.Replicas)
            yield return WhyReasons.TierUnmet(job, outcome.Suitable);
        foreach (var (rule, count) in outcome.Refused.OrderByDescending(r => r.Value).ThenBy(r => r.Key, StringComparer.Ordinal))
            yield return new WhyReason(rule, JobInsight.RefusalText(rule, count, job.Needs), count);
    }
}
