using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/identity/enrolment-tokens
// A token with which machines register as devices of the account, and can do nothing else.

/// <summary>Make an enrolment token for machines. The secret is shown once, in this answer.</summary>
[RequiresPermission(Permissions.KeysManage)]
[Audited("identity.enrolment_token_created", Subject = nameof(IssuedKeyAnswer.Id), Details = [nameof(IssuedKeyAnswer.Name), nameof(IssuedKeyAnswer.AccountId), nameof(IssuedKeyAnswer.UsesLeft), nameof(IssuedKeyAnswer.ExpiresAt)])]
public sealed record CreateEnrolmentTokenCommand : ICommand<IssuedKeyAnswer>
{
    /// <summary>What the token is for, 1–64 characters.</summary>
    public string Name { get; init; } = "enrolment";

    /// <summary>The account whose devices they become; default: the caller's own.</summary>
    public Guid? AccountId { get; init; }

    /// <summary>How many machines may use it, 1–1000; null: any number until it expires. Default 1.</summary>
    public int? Uses { get; init; } = 1;

    /// <summary>Hours until it expires, 1–720. Default 24. A token made with a key that expires never outlives it.</summary>
    public int ExpiresInHours { get; init; } = 24;
}

internal sealed class CreateEnrolmentTokenValidator : AbstractValidator<CreateEnrolmentTokenCommand>
{
    public CreateEnrolmentTokenValidator()
    {
        RuleFor(c => c.Name).OneLine(64);
        RuleFor(c => c.Uses).InclusiveBetween(1, 1000);
        RuleFor(c => c.ExpiresInHours).InclusiveBetween(1, 720);
    }
}

internal sealed class CreateEnrolmentTokenHandler(IIdentityDb db, CallerContext context, CredentialContext credential, TimeProvider clock) : ICommandHandler<CreateEnrolmentTokenCommand, IssuedKeyAnswer>
{
    public async Task<IssuedKeyAnswer> Handle(CreateEnrolmentTokenCommand command, CancellationToken cancellationToken)
    {
        var account = await KeyRules.AccountOrCallersAsync(db, context.Caller, command.AccountId, cancellationToken);
        // A token registers machines; whose key may not, makes none that may.
        if (!context.Caller.Permissions.Contains(Permissions.DevicesWrite))
            throw new FogException(IdentityErrors.Forbidden(Permissions.DevicesWrite));
        var now = clock.GetUtcNow();
        var expires = now.AddHours(command.ExpiresInHours);
        if (KeyRules.LatestEnd(credential) is { } end && end < expires)
            expires = end;
        var secret = AccessSecret.New(AccessSecret.EnrolmentPrefix);
        var token = AccessKey.Issue(AccessKeyKind.EnrolmentToken, account, command.Name, secret, Permissions.Enrolment, now, expires, command.Uses);
        db.AccessKeys.Add(token);
        return IssuedKeyAnswer.Of(token, secret);
    }
}
