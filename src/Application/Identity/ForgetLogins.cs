using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Identity;

// Recurring, no route. Deletes what has run out: tokens, sessions a month after their end, counted failures, links.

[RequiresPermission(Permissions.Operate)]
public sealed record ForgetLoginsCommand : ICommand<RecurringOutcome>;

internal sealed class ForgetLoginsHandler(ILoginRemains remains, TimeProvider clock) : ICommandHandler<ForgetLoginsCommand, RecurringOutcome>
{
    private const int Batch = 5_000;
    private static readonly TimeSpan SessionsKept = TimeSpan.FromDays(30);

    public async Task<RecurringOutcome> Handle(ForgetLoginsCommand request, CancellationToken cancellationToken) =>
        new(MoreToDo: await remains.DeleteAsync(clock.GetUtcNow(), SessionsKept, Batch, cancellationToken) >= Batch);
}
