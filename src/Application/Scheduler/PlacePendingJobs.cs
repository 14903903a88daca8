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
/// <param name="MoreToDo">Whether something waits that the pass did not look at and room is left, so that another should follow at once.</param>
public sealed record PlacementPassResult(int Placed, bool MoreToDo) : IRecurringOutcome;

internal sealed class PlacePendingJobsHandler(
    IJobQueue queue, IPlacementPool pool, IPlacementEngine engine, IPassLog passes, PlacementHistory history, SchedulerMeter meter, SchedulerOptions options, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<PlacePendingJobsCommand, PlacementPassResult>
{
    /// <summary>Open jobs looked at in one pass; beyond it jobs wait for those ahead of them to get devices.</summary>
    private const int JobsPerPass = 256;

    /// <summary>Jobs named in the record of a pass.</summary>
    private const int JobsNamed = 64;

    /// <summary>Windows looked at while nothing in them fits any device.</summary>
    private const int Windows = 8;

    public async Task<PlacementPassResult> Handle(PlacePendingJobsCommand command, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var now = time.GetUtcNow();
        // The cheap questions first: most passes find nothing that waits, and with a long queue most find no room. The order of service is the dear one.
        if (!await queue.AnyOpenAsync(now, cancellationToken) || !await pool.HasRoomAsync(now, cancellationToken))
            return Nothing;
        var devices = await pool.DevicesAsync(now, cancellationToken);
        var freeSlots = devices.Where(d => d.Unavailable is null).Sum(d => Math.Max(0, d.Slots - d.Leases));
        if (freeSlots == 0)
            return Nothing;
        var open = await queue.OpenJobsAsync(0, JobsPerPass, now, cancellationToken);

        // Only jobs that some device could take now: jobs that fit nowhere, however many, must not keep others from being looked at.
        var placeable = Placeable(open, devices);
        for (var window = 1; placeable.Count == 0 && open.Count == JobsPerPass && window < Windows; window++)
        {
            open = await queue.OpenJobsAsync(window * JobsPerPass, JobsPerPass, now, cancellationToken);
            placeable = Placeable(open, devices);
        }
        if (placeable.Count == 0)
            return Nothing;

        var candidates = placeable.ToDictionary(c => c.Job.Id);
        var jobs = placeable.ToDictionary(c => c.Job.Id, c => c.Job);
        var quotas = Quotas(placeable, Math.Min(freeSlots, SchedulerOptions.PassSize));
        var claimed = await queue.ClaimOpenAsync(quotas, now, cancellationToken);
        var owners = devices.ToDictionary(d => d.Id, d => d.Owner, StringComparer.Ordinal);
        var executions = claimed.ToDictionary(e => e.Task.Key);
        var tasks = claimed.Select(e => Describe(e, jobs[e.Task.JobId], candidates[e.Task.JobId].Needs, owners))
            .Where(t => TierCanBeMet(t, jobs[t.Key.Job].Terms.Replicas, candidates[t.Key.Job].Suitable) && candidates[t.Key.Job].Free.Exists(d => HardFilter.Diversity(t, d) is null))
            .ToDictionary(t => t.Key);
        var problem = new PlacementProblem(InOrderOfService(placeable, tasks, executions, now), devices)
        {
            Now = now, Seed = history.NextSeed(), Previous = history.PreviousFor(tasks.Keys),
        };
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
        var placed = outcome.Assignments.Select(a => a.Task).ToHashSet();
        // By their last turn: who was served first in this pass comes first in the next, where everything else is equal.
        var lines = problem.Tasks.Where(t => placed.Contains(t.Key)).Select(t => jobs[t.Key.Job]).Select(j => (j.AccountId, j.Priority)).Reverse().Distinct().Reverse();
        await queue.MarkServedAsync([.. lines], now, cancellationToken);
        if (touched.Exists(e => jobs[e.Task.JobId] is { TasksUnwritten: > 0 } job && e.Task.Index >= job.Materialised - SchedulerOptions.LowWater))
            transaction.SignalAfterCommit(Topics.WriteTasks);
        foreach (var job in starting)
            transaction.SignalAfterCommit(Topics.Job(job.Value));

        var took = time.GetElapsedTime(started);
        transaction.AfterCommit(() => meter.Placed(outcome.Assignments.Count, took));
        history.Record(new PlacementPass(now, problem.Tasks.Count, devices.Count, outcome.Assignments.Count, took), outcome);
        if (outcome.Search is { } search)
            await passes.WriteAsync(Detail(problem, outcome, search, now, took), cancellationToken);
        // Room is left, and something waits that this pass did not look at.
        var unseen = open.Count == JobsPerPass || claimed.CountBy(e => e.Task.JobId).Any(n => n.Value == quotas[jobs[n.Key]]);
        return new PlacementPassResult(outcome.Assignments.Count, unseen && outcome.Assignments.Count > 0 && outcome.Assignments.Count < freeSlots);
    }

    private static readonly PlacementPassResult Nothing = new(0, false);

    /// <param name="Suitable">Devices that satisfy every rule, whatever else runs on them.</param>
    /// <param name="Free">Of these, those with room for a task now.</param>
    private sealed record Candidate(Job Job, WaitingJob Standing, Requirements Needs, List<PlacementDevice> Suitable, List<PlacementDevice> Free);

    private static List<Candidate> Placeable(IReadOnlyList<OpenJob> open, IReadOnlyList<PlacementDevice> devices)
    {
        var placeable = new List<Candidate>();
        // Jobs that need the same are filtered once, and share what the filter and the engine compare by reference.
        var seen = new Dictionary<string, (Requirements Needs, List<PlacementDevice> Suitable, List<PlacementDevice> Free)>(StringComparer.Ordinal);
        foreach (var (job, standing) in open)
        {
            var needs = job.Needs;
            var key = needs.ToKey();
            if (!seen.TryGetValue(key, out var found))
            {
                var suitable = devices.Where(d => HardFilter.Static(needs, d) is null).ToList();
                seen[key] = found = (needs, suitable, suitable.FindAll(d => new FreeCapacity(d).Fits(needs)));
            }
            // A tier that the pool cannot meet: certain only while no device has taken anything of it, see TierCanBeMet.
            var unmet = job.StartedAt is null && found.Suitable.Count < job.Terms.Replicas;
            if (found.Free.Count > 0 && !unmet)
                placeable.Add(new Candidate(job, standing, found.Needs, found.Suitable, found.Free));
        }
        return placeable;
    }

    /// <summary>How many tasks of each job are looked at: equal parts for the accounts, and for the jobs of an account, and some more for those that cannot be placed.</summary>
    private static Dictionary<Job, int> Quotas(List<Candidate> jobs, int slots)
    {
        var perAccount = jobs.CountBy(j => j.Job.AccountId).ToDictionary();
        return jobs.ToDictionary(j => j.Job, j => (int)Math.Ceiling(1.25 * slots / (perAccount.Count * perAccount[j.Job.AccountId])));
    }

    /// <summary>The tasks whose turn it is, within the limits of their arrays and accounts.</summary>
    private PlacementTask[] InOrderOfService(List<Candidate> jobs, Dictionary<TaskKey, PlacementTask> tasks, Dictionary<TaskKey, TaskExecution> executions, DateTimeOffset now)
    {
        var waiting = tasks.Values.ToLookup(t => t.Key.Job, t => new WaitingTask(t.Key, t.Slots, executions[t.Key].Attempts.Any(a => a.State.IsLive())));
        return [.. ServiceOrder.Turns(jobs.Select(j => j.Standing with { Tasks = [.. waiting[j.Job.Id]] }), options.AccountConcurrency, now)
            .Take(SchedulerOptions.PassSize).Select(turn => tasks[turn.Task] is var task && task.Slots == turn.Slots ? task : task with { Slots = turn.Slots })];
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
            Estimate = job.ExpectedRun, Deadline = job.Deadline, WallLimit = TimeSpan.FromSeconds(job.WallSeconds),
            MicroPerHour = (double)Pricing.PerHour(job.CpuMillicores, job.MemoryBytes, job.Price), Plan = job.Plan,
        };
    }

    private static PlacementPassDetail Detail(PlacementProblem problem, PlacementOutcome outcome, PlacementSearch search, DateTimeOffset now, TimeSpan took) => new()
    {
        Id = Guid.CreateVersion7(now), At = now, TookMs = Math.Round(took.TotalMilliseconds, 3), Tasks = problem.Tasks.Count, Slots = search.Slots, Devices = search.Devices,
        Placed = outcome.Assignments.Count, Unplaced = outcome.Unplaced.Count, Generations = search.Generations, Evaluations = search.Evaluations,
        SearchMs = Math.Round(search.Elapsed.TotalMilliseconds, 3), Hypervolume = search.Hypervolume, Convergence = search.Convergence, Chosen = search.Chosen,
        Front = [.. search.Front.Select(PassPoint.Of)], Jobs = [.. problem.Tasks.Select(t => t.Key.Job.Value).Distinct().Take(JobsNamed)],
    };

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

/// <summary>The last passes of this process that placed something, for stats and as a start for the next search; bounded.</summary>
public sealed class PlacementHistory
{
    private const int Kept = 256;
    private readonly Lock _gate = new();
    private readonly Queue<PlacementPass> _passes = new();
    private Dictionary<JobId, string[]> _devices = [];
    private ulong _seed;

    public void Record(PlacementPass pass, PlacementOutcome outcome)
    {
        lock (_gate)
        {
            _passes.Enqueue(pass);
            if (_passes.Count > Kept)
                _passes.Dequeue();
            if (outcome.Search is not null)
                _devices = outcome.Assignments.GroupBy(a => a.Task.Job).ToDictionary(g => g.Key, g => g.Select(a => a.DeviceId).ToArray());
        }
    }

    /// <summary>
    /// Where the last search put tasks of the same jobs: these tasks take the places of those, in turn. What it placed runs by now; tasks of the
    /// same job want the same kind of device.
    /// </summary>
    public IReadOnlyList<Assignment> PreviousFor(IEnumerable<TaskKey> tasks)
    {
        Dictionary<JobId, string[]> devices;
        lock (_gate)
            devices = _devices;
        return devices.Count == 0
            ? []
            : [.. tasks.GroupBy(t => t.Job).Where(g => devices.ContainsKey(g.Key)).SelectMany(g => g.Select((task, i) => new Assignment(task, devices[g.Key][i % devices[g.Key].Length], 0)))];
    }

    /// <summary>Another seed for each pass, so that no bad luck is repeated.</summary>
    public ulong NextSeed() => Interlocked.Increment(ref _seed);

    public IReadOnlyList<PlacementPass> Recent()
    {
        lock (_gate)
            return [.. _passes];
    }
}
