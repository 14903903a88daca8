using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Identity;

// DELETE /api/auth/sessions
// Everything but the session of this request.

/// <summary>End all of one's own sessions but this one.</summary>
[RequiresPermission(Permissions.Profile)]
[Audited("identity.sessions_revoked")]
public sealed record RevokeOtherSessionsCommand : ICommand<DoneAnswer>;

internal sealed class RevokeOtherSessionsHandler(SignedIn signedIn, SessionDesk sessions, TimeProvider clock) : ICommandHandler<RevokeOtherSessionsCommand, DoneAnswer>
{
    public async Task<DoneAnswer> Handle(RevokeOtherSessionsCommand command, CancellationToken cancellationToken)
    {
        var ended = await sessions.EndAllAsync(signedIn.Account, signedIn.Session, "revoked", clock.GetUtcNow(), cancellationToken);
        return new DoneAnswer(true, $"Sessions ended: {ended}.");
    }
}
