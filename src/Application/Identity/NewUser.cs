using System.Net.Mail;
using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity.Events;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

/// <summary>What every way to a new user asks for.</summary>
public interface INewUser
{
    string Username { get; }
    string Email { get; }
    string Password { get; }
}

public sealed record RegisteredAnswer(string Username, string Email, [property: JsonPropertyName("is_active")] bool IsActive);

internal abstract class NewUserValidator<T> : AbstractValidator<T> where T : INewUser
{
    protected NewUserValidator()
    {
        RuleFor(c => c.Username).Length(1, 64).Matches("^[a-z0-9_.-]*$").WithMessage("May contain only a–z, 0–9, '-', '_' and '.'.");
        RuleFor(c => c.Email).IsEmail();
        RuleFor(c => c.Password).NewPassword();
    }
}

internal static class EmailRule
{
    /// <summary>One address without a display name, at most 254 characters (RFC 5321).</summary>
    public static IRuleBuilderOptions<T, string> IsEmail<T>(this IRuleBuilder<T, string> rule) =>
        rule.Length(3, 254).Must(IsAddress).WithMessage("Must be an e-mail address, such as ada@example.org.");

    private static bool IsAddress(string text) =>
        !text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)) && MailAddress.TryCreate(text, out var address) && address.Address == text;
}

/// <summary>Opens the account of a new user; the faucet greets it in the same transaction.</summary>
internal sealed class UserOpening(IIdentityDb db, ITransactionScope scope, TimeProvider clock)
{
    public async Task<User> OpenAsync(INewUser wanted, string passwordHash, IEnumerable<string> roles, CancellationToken cancel)
    {
        await db.LockAccountNamesAsync(cancel);
        var (name, key) = (wanted.Username, User.KeyOf(wanted.Email));
        if (Account.ReservedNames.Contains(name, StringComparer.Ordinal) || await db.Accounts.AnyAsync(a => a.Name == name, cancel))
            throw IdentityErrors.UsernameTaken.On("username");
        if (await db.Users.AnyAsync(u => u.EmailKey == key, cancel))
            throw IdentityErrors.EmailTaken.On("email");
        var now = clock.GetUtcNow();
        var account = Account.Open(name, now);
        var user = User.Register(account.Id, wanted.Email, passwordHash, roles, now);
        db.Accounts.Add(account);
        db.Users.Add(user);
        scope.Raise(new AccountOpened(account.Id, account.Address, now));
        return user;
    }
}
