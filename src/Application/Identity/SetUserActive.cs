using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// PUT /api/identity/users/{id}/active
// Off: sessions end, API keys rest, logins are refused like wrong ones. Devices and running jobs go on; so does the account.

/// <summary>Let a user in, or keep them out. Only admins may.</summary>
[RequiresPermission(Permissions.UsersManage)]
[Audited("identity.user_active_set", Subject = nameof(UserAnswer.Id), Details = [nameof(UserAnswer.IsActive)])]
public sealed record SetUserActiveCommand : ICommand<UserAnswer>
{
    public required bool Active { get; init; }

    [JsonIgnore] public AccountId UserId { get; init; }
}

internal sealed class SetUserActiveHandler(UserDesk users, SessionDesk sessions, ITransactionScope scope, TimeProvider clock) : ICommandHandler<SetUserActiveCommand, UserAnswer>
{
    public async Task<UserAnswer> Handle(SetUserActiveCommand command, CancellationToken cancellationToken)
    {
        var (user, name) = await users.FindAsync(command.UserId, staysAdmin: command.Active, cancellationToken);
        user.SetActive(command.Active);
        if (!command.Active)
            await sessions.EndAllAsync(user.Id, except: null, "deactivated", clock.GetUtcNow(), cancellationToken);
        scope.SignalAfterCommit(Topics.Credentials);
        return UserAnswer.Of(user, name);
    }
}
