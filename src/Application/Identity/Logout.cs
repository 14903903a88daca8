using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/logout
// The session of the access token ends, with everything that was refreshed from its login.

/// <summary>Log out: ends the session of the access token that this is sent with.</summary>
[RequiresPermission(Permissions.Profile)]
[Audited("identity.logged_out")]
public sealed record LogoutCommand : ICommand<DoneAnswer>;

internal sealed class LogoutHandler(SignedIn signedIn, IIdentityDb db, SessionDesk sessions, TimeProvider clock) : ICommandHandler<LogoutCommand, DoneAnswer>
{
    public async Task<DoneAnswer> Handle(LogoutCommand command, CancellationToken cancellationToken)
    {
        var session = await db.FindSessionForUpdateAsync(signedIn.Session, cancellationToken) ?? throw new FogException(IdentityErrors.Unauthenticated);
        sessions.End(session, "logged_out", clock.GetUtcNow());
        return new DoneAnswer(true, "Logged out.");
    }
}
