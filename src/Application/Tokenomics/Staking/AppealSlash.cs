using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Staking;

// POST /api/tokenomics/slashes/{id}/appeal
// The slashed owner objects, once and in time; from then on nothing happens to the slash until an operator or a proposal decides it.

/// <summary>Object to a slash, in time and once.</summary>
[RequiresPermission(Permissions.LedgerWrite)]
[Audited("tokenomics.slash_appealed", Subject = nameof(SlashId), Details = [nameof(Reason)])]
public sealed record AppealSlashCommand : ICommand<SlashDto>
{
    /// <summary>What is wrong with it, 10–2000 characters.</summary>
    public required string Reason { get; init; }

    [JsonIgnore]
    public Guid SlashId { get; init; }
}

internal sealed class AppealSlashValidator : AbstractValidator<AppealSlashCommand>
{
    public AppealSlashValidator() => RuleFor(c => c.Reason).Length(10, 2000);
}

internal sealed class AppealSlashHandler(ISlashes slashes, CallerContext context, TimeProvider time) : ICommandHandler<AppealSlashCommand, SlashDto>
{
    public async Task<SlashDto> Handle(AppealSlashCommand request, CancellationToken cancellationToken)
    {
        var slash = await slashes.LockAsync(request.SlashId, cancellationToken) ?? throw new FogException(TokenomicsErrors.SlashNotFound);
        if (slash.Offence.Owner != context.Caller.Account)
            throw new FogException(IdentityErrors.NotYours);
        slash.AppealAgainst(request.Reason, time.GetUtcNow());
        await slashes.SaveAsync([slash], cancellationToken);
        return SlashDto.Of((await slashes.FindAsync(slash.Id, cancellationToken))!);
    }
}
