using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/statement?address=&from=&to=&limit=100&cursor=
// Promises: opening + lines = closing, for each account and to the micro-credit; every line says what its account held after it and why it is there.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetStatementQuery : IQuery<StatementDto>
{
    /// <summary>Ledger address; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }

    /// <summary>First instant of the period; absent: the account's beginning.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>The period ends before this instant; absent or later than now: up to now.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Lines per page, 1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary><c>next</c> of the page before.</summary>
    public string? Cursor { get; init; }
}

/// <summary>One page of a statement, oldest line first.</summary>
/// <param name="From">Null: from the account's beginning.</param>
/// <param name="To">Where the period ended: as asked, or now. Name it for the next pages, so that they end there too.</param>
/// <param name="Opening">Before the first line of the period.</param>
/// <param name="Closing">After the last line of the period, whatever page this is.</param>
/// <param name="Next">Cursor of the next page; null on the last.</param>
public sealed record StatementDto(string Address, DateTimeOffset? From, DateTimeOffset To, StatementBalanceDto Opening, StatementBalanceDto Closing, IReadOnlyList<StatementLineDto> Lines, string? Next);

/// <summary>Credits, six places: all four accounts of the owner, and each.</summary>
public sealed record StatementBalanceDto(decimal Total, decimal Available, decimal Held, decimal Staked, decimal Unbonding)
{
    internal static StatementBalanceDto Of(BalancesThen then) => new(
        Credits.FromMicro(then.Total), Credits.FromMicro(then.Available), Credits.FromMicro(then.Held), Credits.FromMicro(then.Staked), Credits.FromMicro(then.Unbonding));
}

/// <summary>One line.</summary>
/// <param name="At">Ledger time: of each account, in the order in which it really moved.</param>
/// <param name="Transfer">Number in the journal; lines of one transfer have the same.</param>
/// <param name="Account">Which of the owner's accounts moved: available, held, staked, unbonding. In the whole journal also the pool's own.</param>
/// <param name="Amount">Credits, six places; negative: debited.</param>
/// <param name="BalanceAfter">What that account then held.</param>
/// <param name="Cause">Null where the kind says it all.</param>
public sealed record StatementLineDto(DateTimeOffset At, long Transfer, string Kind, string Account, decimal Amount, decimal BalanceAfter, LineCauseDto? Cause)
{
    /// <param name="reader">Who reads; null: an operator.</param>
    internal static StatementLineDto Of(StatementLine line, Guid? reader) => new(
        line.At, line.Transfer, LedgerWords.Of(line.Kind), LedgerWords.Of(line.Account), Credits.FromMicro(line.Amount), Credits.FromMicro(line.Balance), LineCause.Of(line, reader));
}

internal sealed class GetStatementValidator : AbstractValidator<GetStatementQuery>
{
    public GetStatementValidator()
    {
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
        RuleFor(q => q.From).LessThan(q => q.To).When(q => q.From is not null && q.To is not null).WithMessage("from must be before to.");
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000).WithMessage("limit must be between 1 and 1000.");
        RuleFor(q => q.Cursor).Must(c => c is null || StatementCursor.TryParse(c, out _)).WithMessage("cursor must be the 'next' of an earlier page.");
    }
}

internal sealed class GetStatementHandler(ILedgerBook book, CallerContext context, TimeProvider time) : IQueryHandler<GetStatementQuery, StatementDto>
{
    public async Task<StatementDto> Handle(GetStatementQuery request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        var now = time.GetUtcNow();
        var period = StatementPeriods.Of(request.From, request.To, now);
        StatementCursor? after = request.Cursor is not null && StatementCursor.TryParse(request.Cursor, out var cursor) ? cursor : null;
        var found = await book.StatementAsync(owner.Owner, period, request.Limit + 1, after, cancellationToken);
        var lines = found.Lines.Take(request.Limit).ToArray();
        var next = found.Lines.Count > request.Limit ? new StatementCursor(lines[^1].At, lines[^1].Transfer, lines[^1].AccountRow).ToString() : null;
        return new StatementDto(
            owner.Address, request.From, request.To < now ? request.To.Value : now, StatementBalanceDto.Of(found.Opening), StatementBalanceDto.Of(found.Closing),
            lines.Select(l => StatementLineDto.Of(l, StatementPeriods.Reader(owner, context.Caller))).ToArray(), next);
    }
}

internal static class StatementPeriods
{
    /// <summary>[from, to) as the database's microseconds have it; an open end is now.</summary>
    public static StatementPeriod Of(DateTimeOffset? from, DateTimeOffset? to, DateTimeOffset now) => new(
        from is { } first && first > DateTimeOffset.UnixEpoch ? first.AddMicroseconds(-1) : DateTimeOffset.UnixEpoch,
        to is { } end && end <= now ? (end > DateTimeOffset.UnixEpoch ? end.AddMicroseconds(-1) : DateTimeOffset.UnixEpoch) : now);

    public static Guid? Reader(OwnerBalances owner, Caller caller) => caller.IsOperator && caller.Account != owner.Owner ? null : owner.Owner.Value;
}
