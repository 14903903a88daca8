using System.Runtime.CompilerServices;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/ledger/export?address=&from=&to=&format=json&all=false
// Promises: every line of the period, in constant memory however many: lines are read a few thousand at a time while they are sent.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record ExportLedgerQuery : IQuery<LedgerExport>
{
    /// <summary>Ledger address; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }

    /// <summary>First instant of the period; absent: the beginning.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>The period ends before this instant; absent or later than now: up to now.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary><c>csv</c> (RFC 4180 with a header) or <c>json</c> (one array).</summary>
    public string Format { get; init; } = "json";

    /// <summary>The whole journal, the pool's own accounts too, in the journal's order; for operators, and not together with an address.</summary>
    public bool All { get; init; }
}

/// <param name="Name">For the file: an address or <c>journal</c>.</param>
/// <param name="Lines">Read as they are enumerated, within the caller's scope.</param>
public sealed record LedgerExport(string Name, string Format, IAsyncEnumerable<ExportedLine> Lines);

/// <param name="Address">Whose line; null: the pool's own.</param>
/// <param name="Transfer">Number in the journal; lines of one transfer have the same.</param>
/// <param name="Key">The transfer's idempotency key.</param>
/// <param name="Account">available, held, staked or unbonding, or one of the pool's own.</param>
/// <param name="Amount">Credits, six places; negative: debited.</param>
/// <param name="BalanceAfter">What that account then held.</param>
/// <param name="Cause">Null where the kind says it all.</param>
public sealed record ExportedLine(
    string? Address, DateTimeOffset At, long Transfer, string Kind, string Key, string Account, decimal Amount, decimal BalanceAfter, LineCauseDto? Cause)
{
    internal static ExportedLine Of(StatementLine line, Guid? reader)
    {
        var dto = StatementLineDto.Of(line, reader);
        return new ExportedLine(line.Address, dto.At, dto.Transfer, dto.Kind, line.Key, dto.Account, dto.Amount, dto.BalanceAfter, dto.Cause);
    }
}

internal sealed class ExportLedgerValidator : AbstractValidator<ExportLedgerQuery>
{
    public ExportLedgerValidator()
    {
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
        RuleFor(q => q.Address).Null().When(q => q.All).WithMessage("address and all=true exclude each other.");
        RuleFor(q => q.From).LessThan(q => q.To).When(q => q.From is not null && q.To is not null).WithMessage("from must be before to.");
        RuleFor(q => q.Format).Must(f => f is "csv" or "json").WithMessage("format must be csv or json.");
    }
}

internal sealed class ExportLedgerHandler(ILedgerBook book, CallerContext context, TimeProvider time) : IQueryHandler<ExportLedgerQuery, LedgerExport>
{
    private const int Page = 2_000;

    public async Task<LedgerExport> Handle(ExportLedgerQuery request, CancellationToken cancellationToken)
    {
        var period = StatementPeriods.Of(request.From, request.To, time.GetUtcNow());
        if (request.All)
            return context.Caller.IsOperator ? new LedgerExport("journal", request.Format, JournalAsync(period, cancellationToken)) : throw new FogException(TokenomicsErrors.WholeJournal);
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        return new LedgerExport(owner.Address, request.Format, LinesAsync(owner, period, cancellationToken));
    }

    private async IAsyncEnumerable<ExportedLine> LinesAsync(OwnerBalances owner, StatementPeriod period, [EnumeratorCancellation] CancellationToken cancel)
    {
        var reader = StatementPeriods.Reader(owner, context.Caller);
        StatementCursor? after = null;
        while (true)
        {
            var lines = await book.LinesAsync(owner.Owner, period, Page, after, cancel);
            foreach (var line in lines)
                yield return ExportedLine.Of(line, reader);
            if (lines.Count < Page)
                yield break;
            after = new StatementCursor(lines[^1].At, lines[^1].Transfer, lines[^1].AccountRow);
        }
    }

    private async IAsyncEnumerable<ExportedLine> JournalAsync(StatementPeriod period, [EnumeratorCancellation] CancellationToken cancel)
    {
        LedgerCursor? after = null;
        while (true)
        {
            var lines = await book.JournalAsync(period, Page, after, cancel);
            foreach (var line in lines)
                yield return ExportedLine.Of(line, null);
            if (lines.Count < Page)
                yield break;
            after = new LedgerCursor(lines[^1].Transfer, lines[^1].AccountRow);
        }
    }
}
