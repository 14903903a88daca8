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

    /// <summary>1 = next to be served; null when nothing of it waits or a limit holds it back.</summary>
    public int? QueuePosition { get; init; }

    /// <summary>Jobs served before it, the first ten.</summary>
    public required IReadOnlyList<JobAhead> Ahead { get; init; }
    public required WhyDevices Devices { get; init; }

    /// <summary>What would let it go ahead, most promising first; empty when nothing but time is missing.</summary>
    public required IReadOnlyList<WhyChange> Changes { get; init; }
}

/// <param name="Code">See docs/reasons.md.</param>
/// <param name="Devices">Devices that would do then, or that are missing; null where it is not about devices.</param>
public sealed record WhyChange(string Code, string Message, int? Devices);

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

    public Task<TaskCounts> CountTasksAsync(Job job, CancellationToken cancel) => figures.CountTasksAsync(job.Id, cancel);

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
        var (own, others) = await figures.UnderNoticeAsync(job, cancel);
        var holds = await figures.HoldingsAsync(job, cancel);
        var reasons = new List<WhyReason>();
        if (own > 0)
            reasons.Add(new("preempted", $"{own} of its running tasks must give way to work of higher priority and have {SchedulerOptions.Notice.TotalSeconds:0} s to save their state.", own));
        List<WhyReason> copies = holds.Copies == 0 ? []
            : [new("speculative_copy", $"{holds.Copies} task(s) run long and have a copy on another device; the first result counts.", holds.Copies)];
        if (open is null && job.TasksUnwritten > 0)
            return Answer(job, "Its next tasks are being written to the queue.", [.. reasons, new("writing_tasks", "Long arrays are queued in parts; the next part is due.", job.TasksUnwritten)], null, [], summary);
        if (open is null)
        {
            var busy = own > 0 ? reasons[0].Message : "Nothing of it waits: all its open tasks are on devices.";
            return Answer(job, busy, [.. reasons, new("running", "All open tasks are leased.", null), .. copies], null, [], summary);
        }

        if (open.LastReason == PreemptForPriorityCommand.Reason)
            reasons.Add(new("preempted", $"Its next task gave way to work of higher priority; it goes on {(open.HasCheckpoint ? "from its checkpoint" : "from the start")} when a device is free.", null));
        if (others > 0)
            reasons.Add(new("preempting", $"{others} running task(s) of lower priority have notice to give way.", others));
        if (job.MaxConcurrent is { } most && holds.TasksLeased >= most)
            reasons.Add(new("array_limit", $"{holds.TasksLeased} of its tasks run, and array.max_concurrent allows {most} at once.", holds.TasksLeased));
        if (options.AccountConcurrency is { } limit && holds.AccountLeased >= limit)
            reasons.Add(new("account_limit", $"{holds.AccountLeased} replicas of its account run, and this pool allows {limit} at once.", holds.AccountLeased));
        var (position, first) = await figures.AheadAsync(job, AheadShown, now, cancel);
        var ahead = position - 1 ?? 0;
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
        reasons.AddRange(copies);
        var text = reasons.Count > 0 ? string.Join(" ", reasons.Take(3).Select(r => r.Message)) : "Nothing holds it back.";
        return Answer(job, text, reasons, position, first, summary, Changes(job, needs, devices, suitable, summary, ahead, first));
    }

    /// <summary>What the requester, an owner or an operator could do about it.</summary>
    private static List<WhyChange> Changes(Job job, Requirements needs, IReadOnlyList<PlacementDevice> devices, int suitable, WhyDevices summary, int ahead, IReadOnlyList<JobAhead> first)
    {
        var changes = new List<WhyChange>();
        var replicas = job.Terms.Replicas;
        if (suitable < replicas)
        {
            var missing = replicas - suitable;
            changes.AddRange(WhatWouldChange.Find(needs, devices, missing).Select(r => new WhyChange(
                IsOwners(r.Rule) ? "owner_lends" : "ask_less", RelaxationText(r, needs), r.Devices)));
            changes.Add(new("more_devices", $"{missing} more device(s) with {Offer(needs)}.", missing));
            if (TiersBelow(job).FirstOrDefault(t => t.Replicas <= suitable) is { } lower)
                changes.Add(new("lower_tier", $"Submitted as {JobWords.Tier(lower.Tier)} it needs {lower.Replicas} device(s), and the pool has {suitable}.", suitable));
        }
        else if (summary.Eligible == 0)
        {
            changes.Add(new("more_devices", $"1 more device with {Offer(needs)}; or wait until one of the {suitable} suitable device(s) is free.", 1));
        }
        if (ahead > 0 && first[0].Priority >= job.Priority && first[0].Priority < MostUrgent)
            changes.Add(new("higher_priority", $"A priority above {first[0].Priority} would put it first (it has {job.Priority}).", null));
        return changes;
    }

    private const int MostUrgent = 100;

    /// <summary>Terms of the cheaper tiers, the next one first.</summary>
    private static IEnumerable<TierTerms> TiersBelow(Job job) => Enum.GetValues<SlaTier>().Where(t => t < job.SlaTier).OrderDescending().Select(t => TierTerms.Of(t).For(job.Deterministic));

    private static bool IsOwners(string rule) => rule is not (Refusals.Cpu or Refusals.Memory or Refusals.Disk or Refusals.Gpu or Refusals.Network or Refusals.Labels or Refusals.Region
        or Refusals.Excluded or Refusals.Attestation or Refusals.Trust or Refusals.Isolation);

    private static string RelaxationText(Relaxation change, Requirements needs) => change.Rule switch
    {
        Refusals.Cpu => $"Asking for at most {change.Limit / 1000.0:0.##} cores: {change.Devices} device(s) miss nothing but cores.",
        Refusals.Memory => $"Asking for at most {Mebibytes(change.Limit)} MiB of memory: {change.Devices} device(s) miss nothing else.",
        Refusals.Disk => $"Asking for at most {Mebibytes(change.Limit)} MiB of disk: {change.Devices} device(s) miss nothing else.",
        Refusals.Gpu => $"Asking for at most {change.Limit} GPU(s): {change.Devices} device(s) miss nothing else.",
        Refusals.Network => $"Asking for no network: {change.Devices} device(s) would do.",
        Refusals.Labels => $"Without the label(s) {string.Join(", ", needs.Labels)}: {change.Devices} device(s) would do.",
        Refusals.Region => $"In any region: {change.Devices} device(s) would do.",
        Refusals.Excluded => $"Not excluding devices: {change.Devices} of the excluded would do.",
        Refusals.Attestation => $"Attestation: {change.Devices} device(s) miss nothing else; gold does not ask for it.",
        Refusals.Trust => $"{change.Devices} device(s) miss nothing but reputation; it grows with verified results.",
        Refusals.Isolation => $"With isolation 'process' {change.Devices} device(s) would do; only for code you trust.",
        "no_agent" => $"Starting the agent on {change.Devices} registered device(s): 'fog node start'.",
        "silent" or "lost" => $"{change.Devices} suitable device(s) coming back: nothing is heard of them.",
        _ => $"{change.Devices} suitable device(s) being lent again; their owners' policy holds them back now ({change.Rule}).",
    };

    private static long? Mebibytes(long? bytes) => bytes / (1 << 20);

    /// <summary>What a device must offer, in words.</summary>
    private static string Offer(Requirements needs)
    {
        var parts = new List<string> { $"≥ {needs.CpuMillicores / 1000.0:0.##} core(s)", $"≥ {needs.MemoryBytes / (double)(1L << 30):0.##} GiB of memory" };
        if (needs.Gpus > 0)
            parts.Add($"≥ {needs.Gpus} GPU(s)");
        if (needs.PayloadKind != "builtin")
            parts.Add($"{needs.PayloadKind} payloads");
        if (needs.Network == NetworkNeed.Full)
            parts.Add("network for jobs");
        if (needs.Labels.Count > 0)
            parts.Add("label(s) " + string.Join(", ", needs.Labels));
        if (needs.Regions.Count > 0)
            parts.Add("in " + string.Join(" or ", needs.Regions));
        return string.Join(", ", parts);
    }

    private static readonly WhyDevices NoDevices = new(0, 0, new Dictionary<string, int>());

    private static JobWhy Answer(Job job, string summary, IReadOnlyList<WhyReason> reasons, int? position, IReadOnlyList<JobAhead> ahead, WhyDevices devices, IReadOnlyList<WhyChange>? changes = null) => new()
    {
        JobId = job.Id.Value, State = JobWords.Status(job.State), Summary = summary, Reasons = reasons, QueuePosition = position, Ahead = ahead, Devices = devices, Changes = changes ?? [],
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
