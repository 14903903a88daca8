using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// POST /api/auth/refresh
// Each refresh token is exchanged once. A second use means that two hold it, one of them a thief: the session ends for both. Only a request
// that arrived before the exchange was committed is taken for a double click: it gets 409 and the session lives.

/// <summary>Exchange a refresh token for the next pair of tokens. Using one twice ends the session.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record RefreshCommand : ICommand<Verdict<TokensAnswer>>
{
    public required string RefreshToken { get; init; }
}

internal sealed class RefreshValidator : AbstractValidator<RefreshCommand>
{
    public RefreshValidator() => RuleFor(c => c.RefreshToken).Length(1, 128);
}

internal sealed class RefreshHandler(IIdentityDb db, SessionDesk sessions, IAuditLog audit, TimeProvider clock) : ICommandHandler<RefreshCommand, Verdict<TokensAnswer>>
{
    public async Task<Verdict<TokensAnswer>> Handle(RefreshCommand command, CancellationToken cancellationToken)
    {
        var hash = AccessSecret.HashOf(command.RefreshToken);
        var seen = await db.SessionTokens.AsNoTracking().FirstOrDefaultAsync(t => t.SecretHash == hash && t.Kind == SessionTokenKind.Refresh, cancellationToken);
        if (seen is null || await db.FindSessionForUpdateAsync(seen.SessionId, cancellationToken) is not { } session)
            return Verdict<TokensAnswer>.Refused(IdentityErrors.RefreshInvalid);
        // Once more, now that nobody else exchanges tokens of this session.
        var token = await db.SessionTokens.FirstAsync(t => t.SecretHash == hash, cancellationToken);
        var now = clock.GetUtcNow();
        if (!session.IsLive(now))
            return Verdict<TokensAnswer>.Refused(IdentityErrors.RefreshInvalid);
        if (token.UsedAt is not null)
        {
            if (seen.UsedAt is null)
                throw new FogException(IdentityErrors.RefreshRaced);
            sessions.End(session, "refresh_reused", now);
            audit.Record("identity.refresh_reused", session.AccountId.ToString(), new Dictionary<string, string>(StringComparer.Ordinal) { ["session"] = session.Id.ToString() });
            return Verdict<TokensAnswer>.Refused(IdentityErrors.RefreshInvalid);
        }
        if (token.ExpiresAt <= now || !await db.Users.AnyAsync(u => u.Id == session.AccountId && u.IsActive, cancellationToken))
            return Verdict<TokensAnswer>.Refused(IdentityErrors.RefreshInvalid);
        token.Use(now);
        return Verdict<TokensAnswer>.Of(sessions.Issue(session, now));
    }
}
