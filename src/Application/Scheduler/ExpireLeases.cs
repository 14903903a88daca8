using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// Recurring, every second.
// Declares silent devices lost and requeues every live attempt that expired or whose device is lost or gone. Costs the requester nothing.

[RequiresPermission(Permissions.Operate)]
public sealed record ExpireLeasesCommand : ICommand<RecurringOutcome>;

internal sealed class ExpireLeasesHandler(IJobQueue queue, IDeviceDirectory devices, SchedulerOptions options, IUnitOfWork unitOfWork, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<ExpireLeasesCommand, RecurringOutcome>
{
    private const int Batch = 256;

    public async Task<RecurringOutcome> Handle(ExpireLeasesCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var ends = new AttemptEnds(queue, devices, transaction);
        foreach (var device in await devices.ClaimSilentAsync(now, options.Silence, cancellationToken))
            device.Lose("silent");
        await unitOfWork.FlushAsync(cancellationToken);

        var overdue = await queue.ClaimOverdueAsync(now, Batch, cancellationToken);
        if (overdue.Count == 0)
            return new RecurringOutcome(false);
        var gone = await queue.GoneDevicesAsync([.. overdue.SelectMany(e => e.Attempts).Where(a => a.State.IsLive()).Select(a => a.DeviceId).Distinct(StringComparer.Ordinal)], cancellationToken);
        foreach (var execution in overdue)
        {
            foreach (var attempt in execution.Attempts.Where(a => a.State.IsLive() && (a.ExpiresAt <= now || gone.Contains(a.DeviceId))).ToList())
            {
                ends.Add(execution, execution.Lose(attempt, gone.Contains(attempt.DeviceId) ? "device_lost" : "lease_expired", now));
                ends.AddLoss(attempt.DeviceId);
            }
        }
        await ends.CompleteAsync(overdue, now, cancellationToken);
        return new RecurringOutcome(overdue.Count == Batch);
    }
}
