using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// DELETE /api/identity/api-keys/{id}
// The key or enrolment token stops working at once (within 5 s on a control-plane process that signals do not reach); repeating it is harmless.

/// <summary>Revoke an API key or enrolment token; it stops working within 5 seconds.</summary>
[RequiresPermission(Permissions.KeysManage)]
[Audited("identity.key_revoked", Subject = nameof(Id))]
public sealed record RevokeApiKeyCommand : ICommand<RevokedKeyAnswer>
{
    [JsonIgnore] public required AccessKeyId Id { get; init; }
}

public sealed record RevokedKeyAnswer(bool Success, Guid Id, DateTimeOffset RevokedAt);

internal sealed class RevokeApiKeyHandler(IIdentityDb db, CallerContext context, ITransactionScope scope, TimeProvider clock) : ICommandHandler<RevokeApiKeyCommand, RevokedKeyAnswer>
{
    public async Task<RevokedKeyAnswer> Handle(RevokeApiKeyCommand command, CancellationToken cancellationToken)
    {
        var key = await db.FindKeyForUpdateAsync(command.Id, cancellationToken);
        if (key is null || !context.Caller.MayActFor(key.AccountId))
            throw new FogException(IdentityErrors.KeyNotFound);
        key.Revoke(clock.GetUtcNow());
        scope.SignalAfterCommit(Topics.Credentials);
        return new RevokedKeyAnswer(true, key.Id.Value, key.RevokedAt!.Value);
    }
}
