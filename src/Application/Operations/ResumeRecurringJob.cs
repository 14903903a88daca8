using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Operations;

// POST /api/ops/jobs/{name}/resume
// Lets it run by itself again. Not paused: nothing changes.

/// <summary>Resume a recurring job on all control planes. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("operations.job_resumed", Subject = "Name")]
public sealed record ResumeRecurringJobCommand(string Name) : ICommand<RecurringJobItem>;

internal sealed class ResumeRecurringJobHandler(IRecurringJobs jobs, CallerContext context, ITransactionScope scope, TimeProvider time) : ICommandHandler<ResumeRecurringJobCommand, RecurringJobItem>
{
    public async Task<RecurringJobItem> Handle(ResumeRecurringJobCommand command, CancellationToken cancellationToken)
    {
        if (!jobs.Knows(command.Name))
            throw new FogException(OperationsErrors.UnknownJob(command.Name));
        if (await jobs.PauseAsync(command.Name, since: null, context.Caller.Account == default ? null : context.Caller.Account.Value, cancellationToken))
            scope.SignalAfterCommit(OperationsTopics.RecurringJobs);
        return (await jobs.ListAsync(command.Name, time.GetUtcNow(), cancellationToken)).Single();
    }
}
