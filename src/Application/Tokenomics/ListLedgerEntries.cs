using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/ledger?address=&limit=100&cursor=
// Promises: every line of the caller's accounts, newest first; a page continues exactly where the one before ended, also while lines are added.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record ListLedgerEntriesQuery : IQuery<LedgerEntriesDto>
{
    /// <summary>Ledger address; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }

    /// <summary>Lines per page, 1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary><c>next</c> of the page before.</summary>
    public string? Cursor { get; init; }
}

/// <summary>One page of the journal as an owner sees it.</summary>
/// <param name="Next">Cursor of the next page; null on the last.</param>
public sealed record LedgerEntriesDto(string Address, IReadOnlyList<LedgerEntryDto> Entries, string? Next);

/// <summary>One line.</summary>
/// <param name="Amount">Credits, six places; negative: debited from <paramref name="Account"/>.</param>
/// <param name="Account">Which of the owner's accounts moved: available, held, staked, unbonding.</param>
/// <param name="Counterpart">Kind of account on the other side.</param>
/// <param name="Cost">For settlements: what the task cost by its metering.</param>
/// <param name="Shortfall">For settlements: the part of the cost that the hold did not cover.</param>
/// <param name="Replicas">For settlements: the paid attempts; to a payee its own only.</param>
public sealed record LedgerEntryDto(
    DateTimeOffset At, string Kind, decimal Amount, string Account, string Counterpart, Guid? JobId, int? TaskIndex, decimal? Cost, decimal? Shortfall,
    IReadOnlyList<PaidReplicaDto>? Replicas);

public sealed record PaidReplicaDto(string DeviceId, Guid AttemptId, decimal Amount);

internal sealed class ListLedgerEntriesValidator : AbstractValidator<ListLedgerEntriesQuery>
{
    public ListLedgerEntriesValidator()
    {
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000).WithMessage("limit must be between 1 and 1000.");
        RuleFor(q => q.Cursor).Must(c => c is null || LedgerCursor.TryParse(c, out _)).WithMessage("cursor must be the 'next' of an earlier page.");
    }
}

internal sealed class ListLedgerEntriesHandler(ILedgerBook book, CallerContext context) : IQueryHandler<ListLedgerEntriesQuery, LedgerEntriesDto>
{
    public async Task<LedgerEntriesDto> Handle(ListLedgerEntriesQuery request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        LedgerCursor? before = request.Cursor is not null && LedgerCursor.TryParse(request.Cursor, out var cursor) ? cursor : null;
        var lines = await book.LinesAsync(owner.Owner, request.Limit + 1, before, cancellationToken);
        var page = lines.Count > request.Limit ? lines.Take(request.Limit).ToArray() : lines;
        var next = lines.Count > request.Limit ? new LedgerCursor(page[^1].Transfer, page[^1].AccountRow).ToString() : null;
        return new LedgerEntriesDto(owner.Address, page.Select(line => Entry(line, owner)).ToArray(), next);
    }

    private static LedgerEntryDto Entry(LedgerLine line, OwnerBalances owner)
    {
        var cause = line.Kind == TransferKind.Settlement && line.Cause is not null ? SettlementCause.Parse(line.Cause) : null;
        // The payer sees whom the job paid; a payee sees only what its own machines did.
        var replicas = cause?.Payees.Where(p => line.Account == AccountKind.Held || p.Owner == owner.Owner.Value);
        return new LedgerEntryDto(
            line.At, LedgerWords.Of(line.Kind), Credits.FromMicro(line.Amount), LedgerWords.Of(line.Account), LedgerWords.Of(Transfer.Counterpart(line.Kind, line.Account)), line.Job, line.TaskIndex,
            cause is null ? null : Credits.FromMicro(cause.CostMicro), cause is null ? null : Credits.FromMicro(cause.ShortfallMicro),
            replicas?.Select(p => new PaidReplicaDto(p.Device, p.Attempt, Credits.FromMicro(p.AmountMicro))).ToArray());
    }
}

/// <summary>Enums of the ledger as the wire spells them.</summary>
internal static class LedgerWords
{
    public static string Of<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
