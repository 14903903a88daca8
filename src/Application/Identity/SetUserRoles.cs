using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// PUT /api/identity/users/{id}/roles
// Takes effect at once, also for the user's API keys: a key never does more than its account's user may. The last admin stays one.

/// <summary>Say which roles a user has. Only admins may.</summary>
[RequiresPermission(Permissions.UsersManage)]
public sealed record SetUserRolesCommand : ICommand<UserAnswer>
{
    /// <summary>Any of requester, provider, operator, auditor and admin; these and no others from now on.</summary>
    public required IReadOnlyList<string> Roles { get; init; }

    [JsonIgnore] public AccountId UserId { get; init; }
}

internal sealed class SetUserRolesValidator : AbstractValidator<SetUserRolesCommand>
{
    public SetUserRolesValidator()
    {
        RuleFor(c => c.Roles).NoneTwice();
        RuleForEach(c => c.Roles).Must(r => Common.Security.Roles.All.Contains(r, StringComparer.Ordinal)).WithMessage($"Unknown role. Known: {string.Join(", ", Common.Security.Roles.All)}.");
    }
}

internal sealed class SetUserRolesHandler(UserDesk users, ITransactionScope scope, IAuditLog audit) : ICommandHandler<SetUserRolesCommand, UserAnswer>
{
    public async Task<UserAnswer> Handle(SetUserRolesCommand command, CancellationToken cancellationToken)
    {
        var (user, name) = await users.FindAsync(command.UserId, staysAdmin: command.Roles.Contains(Roles.Admin), cancellationToken);
        var before = string.Join(' ', user.Roles);
        user.SetRoles(command.Roles);
        scope.SignalAfterCommit(Topics.Credentials);
        audit.Record("identity.roles_changed", user.Id.ToString(), new Dictionary<string, string>(StringComparer.Ordinal) { ["before"] = before, ["after"] = string.Join(' ', user.Roles) });
        return UserAnswer.Of(user, name);
    }
}

/// <summary>Users as admins change them.</summary>
internal sealed class UserDesk(IIdentityDb db)
{
    /// <summary>The user, locked.</summary>
    /// <exception cref="FogException">404; 409 when nobody active would be an admin any more.</exception>
    public async Task<(User User, string Name)> FindAsync(AccountId id, bool staysAdmin, CancellationToken cancel)
    {
        // One at a time: two admins who remove each other must not both succeed.
        await db.LockAccountNamesAsync(cancel);
        var user = await db.FindUserForUpdateAsync(id, cancel) ?? throw new FogException(IdentityErrors.UserNotFound);
        if (!staysAdmin && user.IsActive && user.Roles.Contains(Roles.Admin) && await Admins.CountAsync(db, user.Id, cancel) == 0)
            throw new FogException(IdentityErrors.LastAdmin);
        return (user, await db.Accounts.Where(a => a.Id == id).Select(a => a.Name).FirstAsync(cancel));
    }
}
