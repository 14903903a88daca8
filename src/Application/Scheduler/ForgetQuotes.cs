using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring, no route. Deletes quotes that expired a day ago: until then a late submit hears that, and when, its quote expired.

[RequiresPermission(Permissions.Operate)]
public sealed record ForgetQuotesCommand : ICommand<RecurringOutcome>;

internal sealed class ForgetQuotesHandler(IQuotes quotes, TimeProvider time) : ICommandHandler<ForgetQuotesCommand, RecurringOutcome>
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(1);

    // Small enough that nobody waits for the locks of one run.
    private const int Batch = 1_000;

    public async Task<RecurringOutcome> Handle(ForgetQuotesCommand command, CancellationToken cancellationToken) =>
        new(MoreToDo: await quotes.ForgetAsync(time.GetUtcNow() - Kept, Batch, cancellationToken) == Batch);
}
