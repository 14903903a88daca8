using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Tokenomics.Staking;

// Recurring, every 15 s.
// Promises: a slash that nobody appealed in time is executed soon after, once; one that was appealed waits for its decision, however long.

[RequiresPermission(Permissions.Operate)]
public sealed record ExecuteSlashesCommand : ICommand<RecurringOutcome>;

internal sealed class ExecuteSlashesHandler(SlashCourt court) : ICommandHandler<ExecuteSlashesCommand, RecurringOutcome>
{
    private const int Batch = 100;

    public async Task<RecurringOutcome> Handle(ExecuteSlashesCommand request, CancellationToken cancellationToken) =>
        new(await court.ExecuteUnappealedAsync(Batch, cancellationToken) == Batch);
}
