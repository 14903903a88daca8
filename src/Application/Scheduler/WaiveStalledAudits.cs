using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring, every few seconds.
// A result that no second device came to audit within FOG_AUDIT_WAIT_SECONDS stands as it is: audits must not hold up best-effort work.

[RequiresPermission(Permissions.Operate)]
public sealed record WaiveStalledAuditsCommand : ICommand<RecurringOutcome>;

internal sealed class WaiveStalledAuditsHandler(IJobQueue queue, IDeviceDirectory devices, SchedulerOptions options, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<WaiveStalledAuditsCommand, RecurringOutcome>
{
    private const int Batch = 256;

    public async Task<RecurringOutcome> Handle(WaiveStalledAuditsCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var ends = new AttemptEnds(queue, devices, transaction);
        var stalled = await queue.ClaimStalledAuditsAsync(now - TimeSpan.FromSeconds(options.AuditWaitSeconds), Batch, cancellationToken);
        if (stalled.Count == 0)
            return new RecurringOutcome(false);
        foreach (var execution in stalled)
            ends.Add(execution, execution.WaiveAudit(now));
        await ends.CompleteAsync(stalled, now, cancellationToken);
        return new RecurringOutcome(stalled.Count == Batch);
    }
}
