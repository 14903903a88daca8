using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs/{id}/why
// Where the job stands and what it waits for: queue position, who is ahead, how many devices each rule refuses.

[RequiresPermission(Permissions.JobsRead)]
public sealed record GetJobWhyQuery(Guid JobId) : IQuery<JobWhy>;

public sealed record JobWhy
{
    public required Guid JobId { get; init; }
    public required string State { get; init; }

    /// <summary>One sentence for a person.</summary>
    public required string Summary { get; init; }

    /// <summary>Typed reasons, most important first; see docs/reasons.md.</summary>
    public required IReadOnlyList<WhyReason> Reasons { get; init; }

    /// <summary>1 = next to be served; null when nothing of it waits.</summary>
    public int? QueuePosition { get; init; }

    /// <summary>Jobs served before it, the first ten.</summary>
    public required IReadOnlyList<JobAhead> Ahead { get; init; }
    public required WhyDevices Devices { get; init; }
}

public sealed record WhyReason(string Code, string Message, int? Count);

/// <summary>Reasons that both a job and a quote can have.</summary>
internal static class WhyReasons
{
    public static readonly WhyReason NoDevices = new WhyReason("no_devices", "The pool has no devices. Start one with 'fog node start'.", 0);

    public static WhyReason TierUnmet(Job job, int suitable) =>
        new WhyReason("tier_unmet", $"The {JobWords.Tier(job.SlaTier)} tier needs {job.Terms.Replicas} device(s) that satisfy every rule; the pool has {suitable}.", job.Terms.Replicas - suitable);
}

/// <param name="Eligible">Devices that could take its next task this moment.</param>
/// <param name="Refused">How many devices the first broken rule of each kind refuses.</param>
public sealed record WhyDevices(int Total, int Eligible, IReadOnlyDictionary<string, int> Refused);

internal sealed class GetJobWhyHandler(ISchedulerDb db, IJobInsight insight, CallerContext context, TimeProvider time) : IQueryHandler<GetJobWhyQuery, JobWhy>
{
    public async Task<JobWhy> Handle(GetJobWhyQuery query, CancellationToken cancellationToken)
    {
        var job = await JobAccess.ReadAsync(db, context.Caller, new JobId(query.JobId), cancellationToken);
        return await insight.ExplainAsync(job, time.GetUtcNow(), cancellationToken);
    }
}

internal sealed class JobInsight(IQueueFigures figures, IPlacementPool pool, SchedulerOptions options) : IJobInsight
{
    private const int AheadShown = 10;

    public Task<TaskCounts> CountTasksAsync(Job job, CancellationToken cancel) => figures.CountTasksAsync(job.Id, job.TaskCount, cancel);

    public async Task<JobWhy> ExplainAsync(Job job, DateTimeOffset now, CancellationToken cancel)
    {
        if (!job.State.IsOpen())
            return Answer(job, $"The job is {JobWords.Status(job.State)}{(job.StateReason is null ? "" : $" ({job.StateReason})")}: it waits for nothing.", [], null, [], NoDevices);

        var needs = job.Needs;
        var open = await figures.NextOpenTaskAsync(job.Id, cancel);
        var devices = await pool.DevicesAsync(now, cancel);
        var owners = devices.ToDictionary(d => d.Id, d => d.Owner, StringComparer.Ordinal);
        var task = new PlacementTask
        {
            Key = new TaskKey(job.Id, open?.Index ?? 0), Needs = needs, UsedDevices = (open?.UsedDevices ?? []).ToHashSet(StringComparer.Ordinal),
            UsedOwners = (open?.UsedDevices ?? []).Where(owners.ContainsKey).Select(d => owners[d]).ToHashSet(), RequireDistinctOwners = options.RequireDistinctOwners,
        };
        var refused = devices.Select(d => HardFilter.Explain(task, d)).ToList();
        var byRule = refused.OfType<string>().GroupBy(r => r, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        var summary = new WhyDevices(devices.Count, refused.Count(r => r is null), byRule);

        if (job.DependenciesLeft > 0)
            return Answer(job, $"Waits for {job.DependenciesLeft} job(s) named in depends_on.", [new("waiting_for_dependencies", "Jobs named in depends_on have not completed.", job.DependenciesLeft)], null, [], summary);
        if (job.State == JobState.Paused)
            return Answer(job, "Paused by its requester; resume it to go on.", [new("paused", "The job is paused.", null)], null, [], summary);
        if (open is null)
            return Answer(job, "Nothing of it waits: all its open tasks are on devices.", [new("running", "All open tasks are leased.", null)], null, [], summary);

        var (ahead, first) = await figures.AheadAsync(job, AheadShown, cancel);
        var reasons = new List<WhyReason>();
        if (open.EligibleAt > now)
            reasons.Add(new("retry_backoff", $"Its next task failed before ({open.LastReason ?? "unknown"}) and is tried again at {open.EligibleAt:HH:mm:ss} UTC.", null));
        if (devices.Count == 0)
            reasons.Add(WhyReasons.NoDevices);
        var suitable = devices.Count(d => HardFilter.Static(needs, d) is null);
        if (devices.Count > 0 && suitable < job.Terms.Replicas)
            reasons.Add(WhyReasons.TierUnmet(job, suitable));
        reasons.AddRange(byRule.Select(rule => new WhyReason(rule.Key, RefusalText(rule.Key, rule.Value, needs), rule.Value)));
        if (ahead > 0)
            reasons.Add(new("queued_behind", $"{ahead} job(s) are served before it.", ahead));
        if (summary.Eligible > 0 && reasons.Count == 0)
            reasons.Add(new("about_to_be_placed", "A device is free for it; the next placement pass takes it.", summary.Eligible));
        var text = reasons.Count > 0 ? string.Join(" ", reasons.Take(3).Select(r => r.Message)) : "Nothing holds it back.";
        return Answer(job, text, reasons, ahead + 1, first, summary);
    }

    private static readonly WhyDevices NoDevices = new(0, 0, new Dictionary<string, int>());

    private static JobWhy Answer(Job job, string summary, IReadOnlyList<WhyReason> reasons, int? position, IReadOnlyList<JobAhead> ahead, WhyDevices devices) => new()
    {
        JobId = job.Id.Value, State = JobWords.Status(job.State), Summary = summary, Reasons = reasons, QueuePosition = position, Ahead = ahead, Devices = devices,
    };

    internal static string RefusalText(string code, int count, Requirements needs) => code switch
    {
        Refusals.Cpu => $"{count} device(s) have fewer than {needs.CpuMillicores / 1000.0:0.##} cores.",
        Refusals.Memory => $"{count} device(s) have less than {needs.MemoryBytes / (double)(1 << 20):0} MiB of memory.",
        Refusals.Disk => $"{count} device(s) have less than {needs.DiskBytes / (double)(1 << 20):0} MiB of disk.",
        Refusals.Gpu => $"{count} device(s) have fewer than {needs.Gpus} GPU(s).",
        Refusals.Isolation => $"{count} device(s) offer no isolation as strong as {JobWords.Word(needs.Isolation)}.",
        Refusals.PayloadKind => $"{count} device(s) do not run {needs.PayloadKind} payloads.",
        Refusals.Network => $"{count} device(s) give jobs no network.",
        Refusals.Labels => $"{count} device(s) lack a label of {string.Join(", ", needs.Labels)}.",
        Refusals.Region => $"{count} device(s) are outside {string.Join(", ", needs.Regions)}.",
        Refusals.Excluded => $"{count} device(s) are excluded by the job.",
        Refusals.Trust => $"{count} device(s) have too little reputation.",
        Refusals.Attestation => $"{count} device(s) are not attested.",
        Refusals.DistinctDevice => $"{count} device(s) hold or held another replica of the task; replicas run on distinct devices.",
        Refusals.DistinctOwner => $"{count} device(s) belong to an owner who holds another replica of the task.",
        Refusals.Busy => $"{count} suitable device(s) are full just now.",
        "lost" or "silent" => $"{count} device(s) have fallen silent.",
        "no_agent" => $"{count} device(s) are registered but no agent of theirs has asked for work.",
        _ => $"{count} device(s) are held back by their owner's policy ({code}).",
    };
}
