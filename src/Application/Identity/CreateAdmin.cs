using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// The control plane's own verb create-admin, for containers: no route.
// Repeating it for the same admin changes nothing, not even the password. A user of that name who is no admin is never made one: it may be
// somebody who registered the name first.

/// <summary>Make an admin; an admin of that name stays as it is.</summary>
[RequiresPermission(Permissions.UsersManage)]
public sealed record CreateAdminCommand : ICommand<CreatedAdmin>, INewUser
{
    public required string Username { get; init; }
    public required string Email { get; init; }
    public required string Password { get; init; }
}

/// <param name="Created">False: there was one of that name already.</param>
public sealed record CreatedAdmin(bool Created);

internal sealed class CreateAdminValidator : NewUserValidator<CreateAdminCommand>;

internal sealed class CreateAdminPreparation(PasswordWork work) : IPreparation<CreateAdminCommand>
{
    public Task PrepareAsync(CreateAdminCommand command, CancellationToken cancel)
    {
        PasswordRules.Check(command.Password, command.Username, command.Email, "password");
        return work.HashAsync(command.Password, cancel);
    }
}

internal sealed class CreateAdminHandler(IIdentityDb db, UserOpening opening, PasswordWork work, IAuditLog audit) : ICommandHandler<CreateAdminCommand, CreatedAdmin>
{
    public async Task<CreatedAdmin> Handle(CreateAdminCommand command, CancellationToken cancellationToken)
    {
        await db.LockAccountNamesAsync(cancellationToken);
        var name = command.Username;
        var there = await db.Users.Join(db.Accounts, u => u.Id, a => a.Id, (u, a) => new { User = u, a.Name }).Where(f => f.Name == name).Select(f => f.User).FirstOrDefaultAsync(cancellationToken);
        if (there is { IsActive: true } && there.Roles.Contains(Roles.Admin))
            return new CreatedAdmin(false);
        var user = await opening.OpenAsync(command, work.NewHash!, [Roles.Admin], cancellationToken);
        audit.Record("identity.admin_created", user.Id.ToString());
        return new CreatedAdmin(true);
    }
}
