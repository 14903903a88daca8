using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Tokenomics.Parameters;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// Recurring, every second.
// Gives notice to running work that must give way to waiting work of higher priority, and takes back what did not end by itself in time. Costs the requester nothing.

[RequiresPermission(Permissions.Operate)]
public sealed record PreemptForPriorityCommand : ICommand<RecurringOutcome>
{
    /// <summary>Reason of a notice and of an attempt that was taken back for other work.</summary>
    public const string Reason = "preempted";
}

internal sealed class PreemptForPriorityHandler(
    ISchedulerDb db, IJobQueue queue, IPreemptionDesk desk, IPlacementPool pool, IDeviceDirectory devices, IParameters parameters, SchedulerOptions options, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<PreemptForPriorityCommand, RecurringOutcome>
{
    private const int Batch = 256;

    /// <summary>Waiting jobs looked at, highest priority first, and tasks of each.</summary>
    private const int Jobs = 64, TasksPerJob = 16;

    public async Task<RecurringOutcome> Handle(PreemptForPriorityCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var ended = await TakeBackAsync(now, cancellationToken);
        if (options.Preemption && (await parameters.CurrentAsync(cancellationToken)).IsOn(ParameterCatalogue.Preemption))
            await GiveNoticeAsync(now, cancellationToken);
        return new RecurringOutcome(ended == Batch);
    }

    /// <summary>Notices that are over: whatever the device does now comes too late.</summary>
    private async Task<int> TakeBackAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var over = await queue.ClaimOverNoticeAsync(now, Batch, cancel);
        if (over.Count == 0)
            return 0;
        foreach (var execution in over)
        {
            foreach (var attempt in execution.Attempts.Where(a => a.State.IsLive() && a.NoticeUntil <= now).ToList())
            {
                execution.Preempt(attempt, PreemptForPriorityCommand.Reason, now);
                transaction.SignalAfterCommit(Topics.Device(attempt.DeviceId));
            }
        }
        await new AttemptEnds(queue, devices, transaction).CompleteAsync(over, now, cancel);
        return over.Count;
    }

    private async Task GiveNoticeAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var jobs = await db.Jobs.AsNoTracking()
            .Where(j => (j.State == JobState.Admitted || j.State == JobState.Running) && j.DependenciesLeft == 0 && j.Priority >= Preemption.PriorityGap
                && db.Tasks.Any(t => t.JobId == j.Id && t.OpenSlots > 0 && t.EligibleAt <= now))
            .OrderByDescending(j => j.Priority).ThenBy(j => j.SubmittedAt).ThenBy(j => j.Id).Take(Jobs).ToListAsync(cancel);
        if (jobs.Count == 0)
            return;
        var running = await desk.RunningAsync(jobs[0].Priority - Preemption.PriorityGap, now, cancel);
        if (running.All(a => a.UnderNotice || a.Uploading))
            return;
        var victims = Preemption.Choose(await WaitingAsync(jobs, now, cancel), await pool.DevicesAsync(now, cancel), running, now);
        if (victims.Count == 0)
            return;
        foreach (var (device, job) in await desk.NoticeAsync([.. victims.Select(v => v.Id)], now + SchedulerOptions.Notice, cancel))
        {
            transaction.SignalAfterCommit(Topics.Device(device));
            transaction.SignalAfterCommit(Topics.Job(job.Value));
        }
    }

    private async Task<IReadOnlyList<UrgentTask>> WaitingAsync(List<Job> jobs, DateTimeOffset now, CancellationToken cancel)
    {
        var open = await desk.OpenTasksAsync([.. jobs.Select(j => j.Id)], TasksPerJob, now, cancel);
        var used = open.SelectMany(t => t.UsedDevices).Distinct(StringComparer.Ordinal).ToList();
        var owners = used.Count == 0 ? new Dictionary<string, Guid>() : (await devices.OwnersAsync(used, cancel)).ToDictionary(o => o.Key, o => o.Value.Value, StringComparer.Ordinal);
        var byJob = open.ToLookup(t => t.Job);
        return
        [
            .. jobs.Select(job => (Job: job, job.Needs)).SelectMany(j => byJob[j.Job.Id].OrderBy(t => t.EligibleAt).ThenBy(t => t.Index).Select(t => new UrgentTask(
                new PlacementTask
                {
                    Key = new TaskKey(t.Job, t.Index), Needs = j.Needs, Slots = t.Slots, UsedDevices = t.UsedDevices.ToHashSet(StringComparer.Ordinal),
                    UsedOwners = t.UsedDevices.Where(owners.ContainsKey).Select(d => owners[d]).ToHashSet(), RequireDistinctOwners = options.RequireDistinctOwners,
                },
                j.Job.Priority, j.Job.Terms.Replicas, t.EligibleAt))),
        ];
    }
}
