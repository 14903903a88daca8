using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// POST /api/identity/api-keys
// A key for one's own account (operators: for any); its secret is in this answer and nowhere else.

/// <summary>Make an API key. The secret is shown once, in this answer.</summary>
[RequiresPermission(Common.Security.Permissions.KeysManage)]
[Audited("identity.api_key_created", Subject = nameof(IssuedKeyAnswer.Id), Details = [nameof(IssuedKeyAnswer.Name), nameof(IssuedKeyAnswer.AccountId), nameof(IssuedKeyAnswer.Permissions), nameof(IssuedKeyAnswer.ExpiresAt)])]
public sealed record CreateApiKeyCommand : ICommand<IssuedKeyAnswer>
{
    /// <summary>What the key is for, 1–64 characters.</summary>
    public required string Name { get; init; }

    /// <summary>The account it acts for; default: the caller's own.</summary>
    public Guid? AccountId { get; init; }

    /// <summary>What it may do; default: what an ordinary member may, as far as its maker may. Never more than its maker.</summary>
    public IReadOnlyList<string>? Permissions { get; init; }

    /// <summary>Days until it expires, 1–3650; default: it does not. A key made with a key that expires never outlives it.</summary>
    public int? ExpiresInDays { get; init; }
}

/// <param name="Secret">Send it as <c>Authorization: Bearer</c>. It cannot be shown again.</param>
public sealed record IssuedKeyAnswer(
    bool Success, Guid Id, Guid AccountId, AccessKeyKind Kind, string Name, IReadOnlyList<string> Permissions, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, int? UsesLeft, string Secret)
{
    internal static IssuedKeyAnswer Of(AccessKey key, string secret) =>
        new(true, key.Id.Value, key.AccountId.Value, key.Kind, key.Name, key.Permissions, key.CreatedAt, key.ExpiresAt, key.UsesLeft, secret);
}

internal sealed class CreateApiKeyValidator : AbstractValidator<CreateApiKeyCommand>
{
    public CreateApiKeyValidator()
    {
        RuleFor(c => c.Name).OneLine(64);
        RuleFor(c => c.ExpiresInDays).InclusiveBetween(1, 3650);
        RuleFor(c => c.Permissions).Must(p => p is null || p.Count > 0).WithMessage("Name at least one permission, or leave the field out.");
        RuleForEach(c => c.Permissions).Must(p => Common.Security.Permissions.All.Contains(p, StringComparer.Ordinal))
            .WithMessage($"Unknown permission. Known: {string.Join(", ", Common.Security.Permissions.All)}.");
    }
}

internal sealed class CreateApiKeyHandler(IIdentityDb db, CallerContext context, CredentialContext credential, TimeProvider clock) : ICommandHandler<CreateApiKeyCommand, IssuedKeyAnswer>
{
    public async Task<IssuedKeyAnswer> Handle(CreateApiKeyCommand command, CancellationToken cancellationToken)
    {
        var account = await KeyRules.AccountOrCallersAsync(db, context.Caller, command.AccountId, cancellationToken);
        var permissions = command.Permissions ?? [.. Permissions.Member.Where(context.Caller.Permissions.Contains)];
        if (permissions.Any(p => !context.Caller.Permissions.Contains(p)))
            throw IdentityErrors.NotGrantable.On("permissions");
        var now = clock.GetUtcNow();
        var expires = command.ExpiresInDays is { } days ? now.AddDays(days) : (DateTimeOffset?)null;
        if (KeyRules.LatestEnd(credential) is { } end)
            expires = expires > end ? throw IdentityErrors.NotGrantable.On("expires_in_days") : expires ?? end;
        var secret = AccessSecret.New(AccessSecret.ApiKeyPrefix);
        var key = AccessKey.Issue(AccessKeyKind.ApiKey, account, command.Name, secret, permissions, now, expires, uses: null);
        db.AccessKeys.Add(key);
        return IssuedKeyAnswer.Of(key, secret);
    }
}

internal static class KeyRules
{
    /// <summary>When whatever is made with this credential must have expired; null: any time. A session is a person, who may make lasting keys.</summary>
    public static DateTimeOffset? LatestEnd(CredentialContext context) => context.Credential is { Kind: CallerKind.ApiKey, ExpiresAt: var end } ? end : null;

    public static async Task<AccountId> AccountOrCallersAsync(IIdentityDb db, Caller caller, Guid? asked, CancellationToken cancel)
    {
        if (asked is not { } id || new AccountId(id) == caller.Account)
            return caller.Account;
        var account = new AccountId(id);
        if (!caller.IsOperator)
            throw IdentityErrors.NotYours.On("account_id");
        if (!await db.Accounts.AnyAsync(a => a.Id == account, cancel))
            throw IdentityErrors.AccountNotFound.On("account_id");
        return account;
    }
}
