using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/register
// A user with an account of the same name, as requester and provider. Where registration is closed, nobody gets in here.

/// <summary>Register: opens an account with a user of the same name.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record RegisterCommand : ICommand<RegisteredAnswer>, INewUser
{
    /// <summary>1–64 of a–z, 0–9, dash, underscore and dot; unique, also the name of the account.</summary>
    public required string Username { get; init; }

    /// <summary>Unique whatever its case; links for a new password go there.</summary>
    public required string Email { get; init; }

    /// <summary>8–128 characters of any script; not one of the most common, not the name or the address.</summary>
    public required string Password { get; init; }
}

internal sealed class RegisterValidator : NewUserValidator<RegisterCommand>;

internal sealed class RegisterPreparation(IdentityOptions options, PasswordWork work) : IPreparation<RegisterCommand>
{
    public async Task PrepareAsync(RegisterCommand command, CancellationToken cancel)
    {
        if (!options.OpenRegistration)
            throw new FogException(IdentityErrors.RegistrationClosed);
        PasswordRules.Check(command.Password, command.Username, command.Email, "password");
        await work.HashAsync(command.Password, cancel);
    }
}

internal sealed class RegisterHandler(UserOpening opening, PasswordWork work, IAuditLog audit) : ICommandHandler<RegisterCommand, RegisteredAnswer>
{
    public async Task<RegisteredAnswer> Handle(RegisterCommand command, CancellationToken cancellationToken)
    {
        var user = await opening.OpenAsync(command, work.NewHash!, Roles.OfNewUsers, cancellationToken);
        audit.Record("identity.registered", user.Id.ToString());
        return new RegisteredAnswer(command.Username, user.Email, user.IsActive);
    }
}
