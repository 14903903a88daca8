using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Operations;

// POST /api/ops/jobs/{name}/trigger
// Runs it now, on whichever control plane leads it or is free; also when it is paused. The entry of the history has the id that is answered.

/// <summary>Run a recurring job now. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("operations.job_triggered", Subject = "Name")]
public sealed record TriggerRecurringJobCommand(string Name) : ICommand<TriggeredRun>;

/// <param name="RunId">The entry in the job's history, queued at first.</param>
public sealed record TriggeredRun(Guid RunId);

internal sealed class TriggerRecurringJobHandler(IRecurringJobs jobs, CallerContext context, ITransactionScope scope, TimeProvider time) : ICommandHandler<TriggerRecurringJobCommand, TriggeredRun>
{
    public async Task<TriggeredRun> Handle(TriggerRecurringJobCommand command, CancellationToken cancellationToken)
    {
        if (!jobs.Knows(command.Name))
            throw new FogException(OperationsErrors.UnknownJob(command.Name));
        var run = Guid.CreateVersion7(time.GetUtcNow());
        await jobs.AskAsync(command.Name, run, context.Caller.Account == default ? null : context.Caller.Account.Value, cancellationToken);
        scope.SignalAfterCommit(OperationsTopics.RecurringJobs);
        return new TriggeredRun(run);
    }
}
