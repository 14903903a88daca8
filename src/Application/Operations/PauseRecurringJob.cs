using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Operations;

// POST /api/ops/jobs/{name}/pause
// Stops it from running by itself, on every control plane and over restarts, until it is resumed. Paused already: nothing changes.

/// <summary>Pause a recurring job on all control planes. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("operations.job_paused", Subject = "Name")]
public sealed record PauseRecurringJobCommand(string Name) : ICommand<RecurringJobItem>;

internal sealed class PauseRecurringJobHandler(IRecurringJobs jobs, CallerContext context, ITransactionScope scope, TimeProvider time) : ICommandHandler<PauseRecurringJobCommand, RecurringJobItem>
{
    public async Task<RecurringJobItem> Handle(PauseRecurringJobCommand command, CancellationToken cancellationToken)
    {
        if (!jobs.Knows(command.Name))
            throw new FogException(OperationsErrors.UnknownJob(command.Name));
        if (await jobs.PauseAsync(command.Name, since: time.GetUtcNow(), context.Caller.Account == default ? null : context.Caller.Account.Value, cancellationToken))
            scope.SignalAfterCommit(OperationsTopics.RecurringJobs);
        return (await jobs.ListAsync(command.Name, time.GetUtcNow(), cancellationToken)).Single();
    }
}
