using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Application.Scheduler;

// Recurring: woken by every commit that may give something to place, and every second.
// Writes leases for open tasks on devices that can take them now. Single-flight; safe to repeat.

[RequiresPermission(Permissions.Operate)]
public sealed record PlacePendingJobsCommand : ICommand<PlacementPassResult>;

/// <param name="Placed">Leases written.</param>
/// <param name="MoreToDo">Whether the pass was full, so that another should follow at once.</param>
public sealed record PlacementPassResult(int Placed, bool MoreToDo) : IRecurringOutcome;

internal sealed class PlacePendingJobsHandler(
    IJobQueue queue, IPlacementPool pool, IPlacementEngine engine, PlacementHistory history, SchedulerOptions options, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<PlacePendingJobsCommand, PlacementPassResult>
{
    /// <summary>Open jobs looked at in one pass; beyond it jobs wait for those ahead of them to get devices.</summary>
    private const int JobsPerPass = 256;

    public async Task<PlacementPassResult> Handle(PlacePendingJobsCommand command, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var now = time.GetUtcNow();
        var open = await queue.OpenJobsAsync(JobsPerPass, now, cancellationToken);
        if (open.Count == 0)
            return Nothing;
        var devices = await pool.DevicesAsync(now, cancellationToken);
        var freeSlots = devices.Where(d => d.Unavailable is null).Sum(d => Math.Max(0, d.Slots - d.Leases));
        if (freeSlots == 0)
            return Nothing;

        // Only jobs that some device could take now: a job that fits nowhere must not keep others from being looked at.
        var needs = open.ToDictionary(j => j.Id, j => j.Needs);
        var suitable = open.ToDictionary(j => j.Id, j => devices.Where(d => HardFilter.Static(needs[j.Id], d) is null).ToList());
        var placeable = open.Where(j => suitable[j.Id].Exists(d => new FreeCapacity(d).Fits(needs[j.Id]))).ToList();
        if (placeable.Count == 0)
            return Nothing;

        var jobs = placeable.ToDictionary(j => j.Id);
        var perJob = Math.Clamp((int)Math.Ceiling(1.25 * freeSlots / placeable.Count), 1, SchedulerOptions.PassSize);
        var claimed = await queue.ClaimOpenAsync(placeable, perJob, now, cancellationToken);
        var owners = devices.ToDictionary(d => d.Id, d => d.Owner, StringComparer.Ordinal);
        var executions = claimed.ToDictionary(e => e.Task.Key);
        var problem = new PlacementProblem(
            [.. InOrderOfService(claimed, placeable).Take(SchedulerOptions.PassSize).Select(e => Describe(e, jobs[e.Task.JobId], needs[e.Task.JobId], owners))
                .Where(t => TierCanBeMet(t, jobs[t.Key.Job].Terms.Replicas, suitable[t.Key.Job]))],
            devices);
        var outcome = engine.Place(problem, cancellationToken);

        foreach (var assignment in outcome.Assignments)
        {
            executions[assignment.Task].Lease(AttemptId.New(now), assignment.DeviceId, now, options.Lease);
            transaction.SignalAfterCommit(Topics.Device(assignment.DeviceId));
        }
        var touched = outcome.Assignments.Select(a => a.Task).Distinct().Select(key => executions[key]).ToList();
        await queue.SaveAsync(touched, cancellationToken);
        var starting = touched.Select(e => jobs[e.Task.JobId]).Where(j => j.State == JobState.Admitted).Select(j => j.Id).ToHashSet();
        await queue.StartJobsAsync(starting, now, cancellationToken);
        foreach (var job in starting)
            transaction.SignalAfterCommit(Topics.Job(job.Value));

        history.Record(new PlacementPass(now, problem.Tasks.Count, devices.Count, outcome.Assignments.Count, time.GetElapsedTime(started)));
        return new PlacementPassResult(outcome.Assignments.Count, outcome.Assignments.Count > 0 && outcome.Assignments.Count < freeSlots);
    }

    private static readonly PlacementPassResult Nothing = new(0, false);

    /// <summary>Higher priority first; among equals the jobs take turns, oldest job first.</summary>
    private static IEnumerable<TaskExecution> InOrderOfService(IReadOnlyList<TaskExecution> claimed, List<Job> jobs)
    {
        var rank = jobs.Select((job, i) => (job.Id, i)).ToDictionary(x => x.Id, x => (jobs[x.i].Priority, Order: x.i));
        return claimed.GroupBy(e => e.Task.JobId)
            .SelectMany(job => job.OrderBy(e => e.Task.Index).Select((execution, turn) => (execution, turn, rank: rank[job.Key])))
            .OrderByDescending(x => x.rank.Priority).ThenBy(x => x.turn).ThenBy(x => x.rank.Order)
            .Select(x => x.execution);
    }

    private PlacementTask Describe(TaskExecution execution, Job job, Requirements needs, Dictionary<string, Guid> owners)
    {
        var used = execution.Attempts.Count == 0 ? NoDevices : execution.Attempts.Where(a => a.State is not (AttemptState.Evicted or AttemptState.Preempted or AttemptState.Crashed or AttemptState.TimedOut or AttemptState.Cancelled))
            .Select(a => a.DeviceId).ToHashSet(StringComparer.Ordinal);
        return new PlacementTask
        {
            Key = execution.Task.Key, Needs = needs, Slots = execution.Task.OpenSlots, UsedDevices = used,
            UsedOwners = used.Count == 0 ? NoOwners : used.Where(owners.ContainsKey).Select(d => owners[d]).ToHashSet(),
            PreferDistinctOwners = job.Terms.PreferDistinctOwners, RequireDistinctOwners = options.RequireDistinctOwners,
            Estimate = TimeSpan.FromMilliseconds(job.EstimateMs),
        };
    }

    /// <summary>
    /// Whether the pool has a device for each replica the tier sells, those that hold or held one included. Without this a vote could be
    /// decided by fewer replicas than were bought (gold by two), which would be a silent downgrade; <c>why</c> says <c>tier_unmet</c> meanwhile.
    /// </summary>
    private static bool TierCanBeMet(PlacementTask task, int replicas, List<PlacementDevice> suitable) =>
        suitable.Count >= replicas || suitable.Count(d => !task.UsedDevices.Contains(d.Id)) + task.UsedDevices.Count >= replicas;

    private static readonly HashSet<string> NoDevices = [];
    private static readonly HashSet<Guid> NoOwners = [];
}

/// <summary>Measurements of a placement pass.</summary>
public sealed record PlacementPass(DateTimeOffset At, int Tasks, int Devices, int Placed, TimeSpan Took);

/// <summary>The last passes of this process that placed something, for stats; bounded.</summary>
public sealed class PlacementHistory
{
    private const int Kept = 256;
    private readonly Lock _gate = new();
    private readonly Queue<PlacementPass> _passes = new();

    public void Record(PlacementPass pass)
    {
        lock (_gate)
        {
            _passes.Enqueue(pass);
            if (_passes.Count > Kept)
                _passes.Dequeue();
        }
    }

    public IReadOnlyList<PlacementPass> Recent()
    {
        lock (_gate)
            return [.. _passes];
    }
}
