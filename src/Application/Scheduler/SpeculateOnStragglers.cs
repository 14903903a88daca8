using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Scheduler;

// Recurring, every few seconds.
// Asks for a copy of the last tasks of an array that run much longer than the others did, or on devices that will probably leave: the first result wins.

[RequiresPermission(Permissions.Operate)]
public sealed record SpeculateOnStragglersCommand : ICommand<RecurringOutcome>;

internal sealed class SpeculateOnStragglersHandler(IJobQueue queue, IPlacementPool pool, IParameters parameters, SchedulerOptions options, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<SpeculateOnStragglersCommand, RecurringOutcome>
{
    private const int Batch = 256;

    public async Task<RecurringOutcome> Handle(SpeculateOnStragglersCommand command, CancellationToken cancellationToken)
    {
        if (!(await parameters.CurrentAsync(cancellationToken)).IsOn(ParameterCatalogue.Speculation))
            return new RecurringOutcome(false);
        var now = time.GetUtcNow();
        var jobs = (await queue.NearlyDoneAsync(now - Straggler.Least, cancellationToken)).ToDictionary(j => j.Job.Id);
        if (jobs.Count == 0)
            return new RecurringOutcome(false);
        var devices = await pool.DevicesAsync(now, cancellationToken);
        var free = devices.Select(d => new FreeCapacity(d)).ToArray();
        var byId = devices.ToDictionary(d => d.Id, StringComparer.Ordinal);
        var needs = jobs.ToDictionary(j => j.Key, j => j.Value.Job.Needs);

        var running = await queue.ClaimRunningAsync(jobs.Keys, now - Straggler.Least, Batch, cancellationToken);
        var copied = new List<TaskExecution>();
        foreach (var execution in running.Where(e => e.MayBeCopied && Deserves(e, jobs[e.Task.JobId].Median, byId, now)).OrderBy(e => e.Attempts.Min(a => a.LeasedAt)))
        {
            var used = execution.Attempts.Select(a => a.DeviceId).ToHashSet(StringComparer.Ordinal);
            var task = new PlacementTask
            {
                Key = execution.Task.Key, Needs = needs[execution.Task.JobId], UsedDevices = used, RequireDistinctOwners = options.RequireDistinctOwners,
                UsedOwners = used.Where(byId.ContainsKey).Select(d => byId[d].Owner).ToHashSet(),
            };
            // A copy that no device has room for would only wait, and take a turn from work that is waiting.
            for (var i = 0; i < devices.Count; i++)
            {
                if (!free[i].Fits(task.Needs) || HardFilter.Diversity(task, devices[i]) is not null || HardFilter.Static(task.Needs, devices[i]) is not null)
                    continue;
                free[i].Take(task.Needs);
                execution.Speculate(now);
                copied.Add(execution);
                break;
            }
        }
        await queue.SaveAsync(copied, cancellationToken);
        foreach (var job in copied.Select(e => e.Task.JobId).Distinct())
            transaction.SignalAfterCommit(Topics.Job(job.Value));
        if (copied.Count > 0)
            transaction.SignalAfterCommit(Topics.Place);
        return new RecurringOutcome(false);
    }

    private static bool Deserves(TaskExecution execution, TimeSpan median, Dictionary<string, PlacementDevice> devices, DateTimeOffset now) =>
        execution.Attempts.Where(a => a.State.IsLive()).Any(a => Straggler.IsSlow(Straggler.Ran(a, now), median)
            || (devices.TryGetValue(a.DeviceId, out var device) && Straggler.IsUnlikelyToFinish(device.Presence, Straggler.Ran(a, now), median, now)));
}
