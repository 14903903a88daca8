using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Realtime;

// WS /ws/metrics?ticket=
// Spends a ticket; says whose it was.

[RequiresPermission(Permissions.Public)]
public sealed record RedeemSocketTicketCommand(string Ticket) : ICommand<Caller>
{
    /// <summary>Without the ticket: records print their members, and a log would have it.</summary>
    public override string ToString() => nameof(RedeemSocketTicketCommand);
}

internal sealed class RedeemSocketTicketHandler(ISocketTickets tickets) : ICommandHandler<RedeemSocketTicketCommand, Caller>
{
    public async Task<Caller> Handle(RedeemSocketTicketCommand command, CancellationToken cancellationToken) =>
        await tickets.RedeemAsync(AccessSecret.HashOf(command.Ticket), cancellationToken) ?? throw new FogException(RealtimeErrors.TicketInvalid);
}
