using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/auth/sessions
// One's own live sessions, the latest login first.

/// <summary>List one's own sessions that have not ended.</summary>
[RequiresPermission(Permissions.Profile)]
public sealed record ListSessionsQuery : IQuery<SessionsAnswer>;

public sealed record SessionsAnswer(IReadOnlyList<SessionAnswer> Sessions, int Total);

/// <param name="LastUsedAt">Login or latest refresh.</param>
/// <param name="Peer">Address of the login.</param>
/// <param name="Agent">User-Agent of the login.</param>
/// <param name="Current">Whether this request belongs to it.</param>
public sealed record SessionAnswer(
    Guid Id,
    [property: JsonPropertyName("created_at")] DateTimeOffset CreatedAt,
    [property: JsonPropertyName("last_used_at")] DateTimeOffset LastUsedAt,
    [property: JsonPropertyName("expires_at")] DateTimeOffset ExpiresAt,
    string? Peer, string? Agent, bool Current);

internal sealed class ListSessionsHandler(SignedIn signedIn, IIdentityDb db, TimeProvider clock) : IQueryHandler<ListSessionsQuery, SessionsAnswer>
{
    public async Task<SessionsAnswer> Handle(ListSessionsQuery query, CancellationToken cancellationToken)
    {
        var (account, current, now) = (signedIn.Account, signedIn.Session, clock.GetUtcNow());
        var live = await db.Sessions.AsNoTracking().Where(s => s.AccountId == account && s.EndedAt == null && s.ExpiresAt > now).OrderByDescending(s => s.CreatedAt).ToListAsync(cancellationToken);
        return new SessionsAnswer([.. live.Select(s => new SessionAnswer(s.Id.Value, s.CreatedAt, s.LastUsedAt, s.ExpiresAt, s.Peer, s.Agent, s.Id == current))], live.Count);
    }
}
