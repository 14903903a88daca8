using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// POST /api/auth/login
// Unknown users, wrong passwords and inactive users get one answer after the same work. Failures count by name and by address and lock both,
// longer each time; while locked nothing is checked, so that the answer tells nothing about the password.

/// <summary>Log in with user name or e-mail address and password, and a code where there is a second factor.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record LoginCommand : ICommand<Verdict<TokensAnswer>>
{
    /// <summary>User name or e-mail address, in any case.</summary>
    public required string Username { get; init; }

    public required string Password { get; init; }

    /// <summary>Six digits of the authenticator app, or a recovery code (which is used up); null: none.</summary>
    public string? Code { get; init; }
}

internal sealed class LoginValidator : AbstractValidator<LoginCommand>
{
    public LoginValidator()
    {
        RuleFor(c => c.Username).Length(1, 254);
        RuleFor(c => c.Password).Length(1, 1024);
        RuleFor(c => c.Code).Length(1, 64);
    }
}

internal sealed class LoginPreparation(IIdentityDb db, PasswordWork work, ILoginFailures failures, ClientContext client, TimeProvider clock) : IPreparation<LoginCommand>
{
    public async Task PrepareAsync(LoginCommand command, CancellationToken cancel)
    {
        if (await failures.LockedForAsync(LoginKeys.Of(command.Username, client.Peer), clock.GetUtcNow(), cancel) is { Ticks: > 0 } wait)
            throw new FogException(IdentityErrors.TooManyLogins) { RetryAfter = wait };
        var login = LoginKeys.Normal(command.Username);
        var user = await db.Users.AsNoTracking().Join(db.Accounts, u => u.Id, a => a.Id, (u, a) => new { User = u, a.Name })
            .Where(f => f.Name == login || f.User.EmailKey == login).Select(f => f.User).FirstOrDefaultAsync(cancel);
        await work.CheckAsync(user, command.Password, cancel);
    }
}

internal sealed class LoginHandler(
    IIdentityDb db, PasswordWork work, ILoginFailures failures, SessionDesk sessions, ClientContext client, IAuditLog audit, TimeProvider clock)
    : ICommandHandler<LoginCommand, Verdict<TokensAnswer>>
{
    public async Task<Verdict<TokensAnswer>> Handle(LoginCommand command, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var keys = LoginKeys.Of(command.Username, client.Peer);
        // Again: of many guesses sent at once, only as many are answered as there are free ones.
        await failures.HoldNameAsync(keys, cancellationToken);
        if (await failures.LockedForAsync(keys, now, cancellationToken) is { Ticks: > 0 } wait)
            throw new FogException(IdentityErrors.TooManyLogins) { RetryAfter = wait };
        var user = work.Account is { } account ? await db.FindUserForUpdateAsync(account, cancellationToken) : null;
        if (user is null || !user.IsActive || !work.IsRightFor(user))
            return await FailAsync(user, user is null ? "unknown_user" : user.IsActive ? "wrong_password" : "inactive", IdentityErrors.InvalidCredentials);
        if (user.HasMfa)
        {
            if (command.Code is not { } code)
                return Verdict<TokensAnswer>.Refused(IdentityErrors.MfaRequired);
            if (!user.UseTotp(code.Trim(), now))
            {
                if (!await db.BurnRecoveryCodeAsync(user.Id, RecoveryCode.HashOf(code), cancellationToken))
                    return await FailAsync(user, "wrong_code", IdentityErrors.InvalidCode);
                audit.Record("identity.recovery_code_used", user.Id.ToString());
            }
        }
        if (work.NewHash is { } better)
            user.Rehash(better);
        await failures.ForgetNameAsync(keys, cancellationToken);
        audit.Record("identity.logged_in", user.Id.ToString(), Facts("mfa", user.HasMfa ? "yes" : "no"));
        return Verdict<TokensAnswer>.Of(sessions.Open(user, now));

        async Task<Verdict<TokensAnswer>> FailAsync(User? whose, string reason, FogError refusal)
        {
            await failures.CountAsync(keys, now, cancellationToken);
            audit.Record("identity.login_failed", whose?.Id.ToString(), Facts("reason", reason));
            return Verdict<TokensAnswer>.Refused(refusal);
        }
    }

    private Dictionary<string, string> Facts(string name, string value) => new(StringComparer.Ordinal) { [name] = value, ["peer"] = client.Peer ?? "unknown" };
}
