using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring, no route. Deletes records of placement passes after seven days.

[RequiresPermission(Permissions.Operate)]
public sealed record ForgetPassesCommand : ICommand<RecurringOutcome>;

internal sealed class ForgetPassesHandler(IPassLog passes, TimeProvider time) : ICommandHandler<ForgetPassesCommand, RecurringOutcome>
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(7);
    private const int Batch = 1_000;

    public async Task<RecurringOutcome> Handle(ForgetPassesCommand command, CancellationToken cancellationToken) =>
        new(MoreToDo: await passes.ForgetAsync(time.GetUtcNow() - Kept, Batch, cancellationToken) == Batch);
}
