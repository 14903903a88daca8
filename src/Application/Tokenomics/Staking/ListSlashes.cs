using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

// GET /api/tokenomics/slashes?address=&state=&limit=100
// Promises: what wrong results cost this account, newest first, each with its appeal; 404 for an unknown address, 403 for someone else's.

/// <summary>What wrong results cost a stake, newest first.</summary>
[RequiresPermission(Permissions.LedgerRead)]
public sealed record ListSlashesQuery : IQuery<SlashesDto>
{
    /// <summary>Ledger address, <c>fog1…</c>; absent: the caller's own account. Another's only for operators; to them <c>*</c> is every account.</summary>
    public string? Address { get; init; }

    /// <summary>Only those in this state: escrowed, appealed, executed or reversed.</summary>
    public string? State { get; init; }

    /// <summary>Slashes shown, 1–1000; <c>total</c> counts all that match.</summary>
    public int Limit { get; init; } = 100;
}

/// <param name="Total">How many match, shown or not.</param>
public sealed record SlashesDto(IReadOnlyList<SlashDto> Slashes, long Total);

/// <summary>One slash. Amounts in credits with six places.</summary>
/// <param name="Address">Whose stake it was taken from.</param>
/// <param name="Reason">wrong_result | equivocation</param>
/// <param name="State">escrowed (may be appealed) | appealed (waits for a decision) | executed | reversed.</param>
/// <param name="Harmed">Ledger address of the requester who gets a share when it is executed.</param>
/// <param name="AppealUntil">Not appealed by then, it is executed.</param>
/// <param name="Appeal">What its owner says; null: not appealed.</param>
/// <param name="Decision">Why the appeal was decided so; null: none was.</param>
/// <param name="DecidedBy">Ledger address of the operator, or id of the proposal.</param>
/// <param name="Evidence">Equivocation: both receipts with signatures and the device's key, as JSON text.</param>
public sealed record SlashDto(
    Guid Id, string Address, SlashReason Reason, decimal Amount, SlashState State, Guid JobId, int TaskIndex, string DeviceId, Guid AttemptId, string Harmed,
    DateTimeOffset CreatedAt, DateTimeOffset AppealUntil, string? Appeal, string? Decision, string? DecidedBy, DateTimeOffset? DecidedAt, string? Evidence)
{
    internal static SlashDto Of(ListedSlash listed)
    {
        var (slash, owner, harmed) = listed;
        var offence = slash.Offence;
        return new SlashDto(
            slash.Id, owner, offence.Reason, Credits.FromMicro(slash.AmountMicro), slash.State, offence.Job.Value, offence.TaskIndex, offence.DeviceId, offence.Attempt.Value, harmed,
            slash.CreatedAt, slash.AppealUntil, slash.Appeal, slash.Decision, slash.DecidedBy, slash.DecidedAt, offence.Evidence);
    }
}

internal sealed class ListSlashesValidator : AbstractValidator<ListSlashesQuery>
{
    internal static readonly IReadOnlyDictionary<string, SlashState> Words =
        Enum.GetValues<SlashState>().ToDictionary(s => s.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    public ListSlashesValidator()
    {
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
        RuleFor(q => q.State).Must(s => s is null || Words.ContainsKey(s)).WithMessage($"must be one of {string.Join(", ", Words.Keys)}.");
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000).WithMessage("limit must be between 1 and 1000.");
    }
}

internal sealed class ListSlashesHandler(ISlashes slashes, ILedgerBook book, CallerContext context) : IQueryHandler<ListSlashesQuery, SlashesDto>
{
    private const string Everyone = "*";

    public async Task<SlashesDto> Handle(ListSlashesQuery request, CancellationToken cancellationToken)
    {
        if (request.Address == Everyone && !context.Caller.IsOperator)
            throw new FogException(IdentityErrors.NotYours);
        AccountId? owner = request.Address == Everyone ? null : (await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken)).Owner;
        SlashState? state = request.State is null ? null : ListSlashesValidator.Words[request.State];
        var (page, total) = await slashes.ListAsync(owner, state, request.Limit, cancellationToken);
        return new SlashesDto([.. page.Select(SlashDto.Of)], total);
    }
}
