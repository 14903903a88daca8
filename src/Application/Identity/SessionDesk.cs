using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

/// <summary>What a login and each refresh answer; the names are those that OAuth 2.0 clients read.</summary>
/// <param name="AccessToken">Send it as <c>Authorization: Bearer</c>.</param>
/// <param name="ExpiresIn">Life of the access token, seconds.</param>
/// <param name="RefreshToken">Exchange it at <c>/api/auth/refresh</c>, once, within 14 days.</param>
public sealed record TokensAnswer(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("token_type")] string TokenType,
    [property: JsonPropertyName("expires_in")] int ExpiresIn,
    [property: JsonPropertyName("refresh_token")] string RefreshToken);

/// <summary>Something is done.</summary>
public sealed record DoneAnswer(bool Success, string Message);

/// <summary>Opens, continues and ends sessions in the running transaction.</summary>
internal sealed class SessionDesk(IIdentityDb db, ClientContext client, ITransactionScope scope)
{
    public TokensAnswer Open(User user, DateTimeOffset now)
    {
        var session = Session.Open(user.Id, client.Peer, client.Agent, now);
        db.Sessions.Add(session);
        return Issue(session, now);
    }

    /// <summary>The next pair of tokens. Earlier access tokens live on until they expire: requests that are under way do not fail.</summary>
    public TokensAnswer Issue(Session session, DateTimeOffset now)
    {
        session.Touch(now);
        var (access, refresh) = (AccessSecret.New(AccessSecret.AccessPrefix), AccessSecret.New(AccessSecret.RefreshPrefix));
        var token = SessionToken.Issue(SessionTokenKind.Access, session, access, now);
        db.SessionTokens.AddRange(token, SessionToken.Issue(SessionTokenKind.Refresh, session, refresh, now));
        return new TokensAnswer(access, "bearer", (int)(token.ExpiresAt - now).TotalSeconds, refresh);
    }

    public void End(Session session, string reason, DateTimeOffset now)
    {
        session.End(reason, now);
        scope.SignalAfterCommit(Topics.Credentials);
    }

    /// <summary>Ends every live session of the user but one; returns how many.</summary>
    public async Task<int> EndAllAsync(AccountId account, SessionId? except, string reason, DateTimeOffset now, CancellationToken cancel)
    {
        var live = await db.Sessions.Where(s => s.AccountId == account && s.EndedAt == null && s.ExpiresAt > now).ToListAsync(cancel);
        live.RemoveAll(s => s.Id == except);
        foreach (var session in live)
            session.End(reason, now);
        scope.SignalAfterCommit(Topics.Credentials);
        return live.Count;
    }
}
