using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Realtime;

// POST /api/ws/ticket
// A ticket that opens one WebSocket as the caller, for browsers that cannot send a header with it. Kept as a hash; any control plane of the pool redeems it.

/// <summary>Get a ticket that opens one WebSocket within 30 seconds: <c>/ws/metrics?ticket=…</c></summary>
[RequiresPermission(Permissions.JobsRead)]
public sealed record IssueSocketTicketCommand : ICommand<SocketTicket>;

/// <param name="Ticket">Good once. It is shown here only.</param>
/// <param name="ExpiresIn">Seconds.</param>
public sealed record SocketTicket(string Ticket, [property: JsonPropertyName("expires_in")] int ExpiresIn);

/// <summary>Tickets by their hash.</summary>
public interface ISocketTickets
{
    Task KeepAsync(byte[] hash, Caller caller, DateTimeOffset expires, CancellationToken cancel);

    /// <summary>Whose ticket it was, once; null when there is none, it was redeemed or it expired.</summary>
    Task<Caller?> RedeemAsync(byte[] hash, CancellationToken cancel);
}

internal sealed class IssueSocketTicketHandler(ISocketTickets tickets, CallerContext context, TimeProvider time) : ICommandHandler<IssueSocketTicketCommand, SocketTicket>
{
    private const string Prefix = "fogt_";
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(30);

    public async Task<SocketTicket> Handle(IssueSocketTicketCommand command, CancellationToken cancellationToken)
    {
        var ticket = AccessSecret.New(Prefix);
        await tickets.KeepAsync(AccessSecret.HashOf(ticket), context.Caller, time.GetUtcNow() + Life, cancellationToken);
        return new SocketTicket(ticket, (int)Life.TotalSeconds);
    }
}
