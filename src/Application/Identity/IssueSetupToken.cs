using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// At start, no route. While there is no admin, each start of a loopback-bound control plane gets a token for the set-up link; the former one is
// not good any more.

/// <summary>Make the token of the set-up link; answers nothing when there is an admin.</summary>
[RequiresPermission(Permissions.UsersManage)]
public sealed record IssueSetupTokenCommand : ICommand<SetupToken>;

/// <param name="Secret">Null: there is an admin.</param>
public sealed record SetupToken(string? Secret);

internal sealed class IssueSetupTokenHandler(IIdentityDb db, ISetupToken tokens, TimeProvider clock) : ICommandHandler<IssueSetupTokenCommand, SetupToken>
{
    private static readonly TimeSpan Life = TimeSpan.FromHours(24);

    public async Task<SetupToken> Handle(IssueSetupTokenCommand command, CancellationToken cancellationToken)
    {
        if (await Admins.CountAsync(db, except: null, cancellationToken) > 0)
            return new SetupToken(null);
        var secret = AccessSecret.New(AccessSecret.SetupPrefix);
        await tokens.ReplaceAsync(AccessSecret.HashOf(secret), clock.GetUtcNow() + Life, cancellationToken);
        return new SetupToken(secret);
    }
}
