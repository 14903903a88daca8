using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// DELETE /api/auth/sessions/{id}
// Its tokens are refused from now on (within 5 s by control planes that are cut off from the others).

/// <summary>End one of one's own sessions.</summary>
[RequiresPermission(Permissions.Profile)]
[Audited("identity.session_revoked", Subject = nameof(Id))]
public sealed record RevokeSessionCommand : ICommand<DoneAnswer>
{
    [JsonIgnore] public required SessionId Id { get; init; }
}

internal sealed class RevokeSessionHandler(SignedIn signedIn, IIdentityDb db, SessionDesk sessions, TimeProvider clock) : ICommandHandler<RevokeSessionCommand, DoneAnswer>
{
    public async Task<DoneAnswer> Handle(RevokeSessionCommand command, CancellationToken cancellationToken)
    {
        var (account, now) = (signedIn.Account, clock.GetUtcNow());
        if (await db.FindSessionForUpdateAsync(command.Id, cancellationToken) is not { } session || session.AccountId != account || !session.IsLive(now))
            throw new FogException(IdentityErrors.SessionNotFound);
        sessions.End(session, "revoked", now);
        return new DoneAnswer(true, "The session has ended.");
    }
}
