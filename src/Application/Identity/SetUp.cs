using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/setup
// The first admin, with the token of the link that a control plane without one prints when it starts. The token is used up.

/// <summary>Make the first admin with the set-up link.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record SetUpCommand : ICommand<RegisteredAnswer>, INewUser
{
    /// <summary>From the link.</summary>
    public required string Token { get; init; }

    /// <summary>1–64 of a–z, 0–9, dash, underscore and dot; unique.</summary>
    public required string Username { get; init; }
    public required string Email { get; init; }

    /// <summary>8–128 characters of any script; not one of the most common, not the name or the address.</summary>
    public required string Password { get; init; }
}

internal sealed class SetUpValidator : NewUserValidator<SetUpCommand>
{
    public SetUpValidator() => RuleFor(c => c.Token).Length(1, 128);
}

internal sealed class SetUpPreparation(ISetupToken tokens, PasswordWork work, TimeProvider clock) : IPreparation<SetUpCommand>
{
    public async Task PrepareAsync(SetUpCommand command, CancellationToken cancel)
    {
        if (!await tokens.IsGoodAsync(AccessSecret.HashOf(command.Token), clock.GetUtcNow(), cancel))
            throw new FogException(IdentityErrors.SetupInvalid);
        PasswordRules.Check(command.Password, command.Username, command.Email, "password");
        await work.HashAsync(command.Password, cancel);
    }
}

internal sealed class SetUpHandler(ISetupToken tokens, IIdentityDb db, UserOpening opening, PasswordWork work, IAuditLog audit, TimeProvider clock) : ICommandHandler<SetUpCommand, RegisteredAnswer>
{
    public async Task<RegisteredAnswer> Handle(SetUpCommand command, CancellationToken cancellationToken)
    {
        var burnt = await tokens.BurnAsync(AccessSecret.HashOf(command.Token), clock.GetUtcNow(), cancellationToken);
        if (!burnt || await Admins.CountAsync(db, except: null, cancellationToken) > 0)
            throw new FogException(IdentityErrors.SetupInvalid);
        var user = await opening.OpenAsync(command, work.NewHash!, [Roles.Admin], cancellationToken);
        audit.Record("identity.set_up", user.Id.ToString());
        return new RegisteredAnswer(command.Username, user.Email, user.IsActive);
    }
}
