using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Staking;

// POST /api/tokenomics/slashes/{id}/decision (operator)
// Decides an appeal: upheld, the harmed requester gets its share and the rest is burned; reversed, it goes back where it was taken from.

/// <summary>Decide an appealed slash.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("tokenomics.slash_decided", Subject = nameof(SlashId), Details = [nameof(Uphold)])]
public sealed record DecideSlashCommand : ICommand<SlashDto>
{
    /// <summary>True: the slash stands. False: it is reversed.</summary>
    public required bool Uphold { get; init; }

    /// <summary>Why, for the owner to read, 10–2000 characters.</summary>
    public required string Reason { get; init; }

    [JsonIgnore]
    public Guid SlashId { get; init; }
}

internal sealed class DecideSlashValidator : AbstractValidator<DecideSlashCommand>
{
    public DecideSlashValidator() => RuleFor(c => c.Reason).Length(10, 2000);
}

internal sealed class DecideSlashHandler(ISlashCourt court, ISlashes slashes, ILedgerBook book, CallerContext context) : ICommandHandler<DecideSlashCommand, SlashDto>
{
    public async Task<SlashDto> Handle(DecideSlashCommand request, CancellationToken cancellationToken)
    {
        var by = await book.FindAsync(context.Caller.Account, cancellationToken) ?? throw new FogException(TokenomicsErrors.NoLedgerAccount);
        await court.DecideAsync(request.SlashId, request.Uphold, by.Address, request.Reason, cancellationToken);
        return SlashDto.Of((await slashes.FindAsync(request.SlashId, cancellationToken))!);
    }
}
