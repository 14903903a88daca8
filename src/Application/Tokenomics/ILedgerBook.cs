using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>Reads the ledger.</summary>
public interface ILedgerBook
{
    Task<OwnerBalances?> FindAsync(AccountId owner, CancellationToken cancel);

    Task<OwnerBalances?> FindAsync(string address, CancellationToken cancel);

    /// <summary>The owner's journal lines, newest first, from just below <paramref name="before"/>.</summary>
    Task<IReadOnlyList<LedgerLine>> LinesAsync(AccountId owner, int limit, LedgerCursor? before, CancellationToken cancel);

    /// <summary>What the owner had at an instant: after the last line that is not later.</summary>
    Task<BalancesThen> AtAsync(AccountId owner, DateTimeOffset at, CancellationToken cancel);

    /// <summary>A page of lines with the balances before and after the whole period, all as of one moment: the period may still be running.</summary>
    Task<StatementPage> StatementAsync(AccountId owner, StatementPeriod period, int limit, StatementCursor? after, CancellationToken cancel);

    /// <summary>The owner's lines of the period, oldest first, from just above <paramref name="after"/>.</summary>
    Task<IReadOnlyList<StatementLine>> LinesAsync(AccountId owner, StatementPeriod period, int limit, StatementCursor? after, CancellationToken cancel);

    /// <summary>Lines of all accounts in the period, by transfer, from just above <paramref name="after"/>.</summary>
    Task<IReadOnlyList<StatementLine>> JournalAsync(StatementPeriod period, int limit, LedgerCursor? after, CancellationToken cancel);
}

/// <summary>Micro-credits of one owner, and what settlements ever paid them.</summary>
public sealed record OwnerBalances(AccountId Owner, string Address, long Available, long Held, long Staked, long Unbonding, long Earned, DateTimeOffset UpdatedAt);

/// <summary>One posting with the transfer it belongs to.</summary>
/// <param name="AccountRow">Row id of the account; with the transfer it names the line.</param>
public sealed record LedgerLine(
    long Transfer, long AccountRow, DateTimeOffset At, TransferKind Kind, AccountKind Account, long Amount, Guid? Job, int? TaskIndex, string? Cause);

/// <summary>Micro-credits of one owner at an instant.</summary>
/// <param name="UpdatedAt">The last line until then; null: none.</param>
public sealed record BalancesThen(long Available, long Held, long Staked, long Unbonding, DateTimeOffset? UpdatedAt)
{
    public long Total => checked(Available + Held + Staked + Unbonding);
}

/// <summary>From (excluded) to (included); the database's clock ticks in microseconds.</summary>
public readonly record struct StatementPeriod(DateTimeOffset After, DateTimeOffset Until);

public sealed record StatementPage(BalancesThen Opening, BalancesThen Closing, IReadOnlyList<StatementLine> Lines);

/// <summary>A line with its ledger time and what its account held after it.</summary>
/// <param name="Owner">Whose account; null: the pool's own.</param>
/// <param name="Address">The owner's; null likewise.</param>
public sealed record StatementLine(
    long Transfer, long AccountRow, DateTimeOffset At, TransferKind Kind, AccountKind Account, long Amount, long Balance, string Key, Guid? Job, int? TaskIndex, string? Cause,
    Guid? Owner, string? Address);

/// <summary>A place in an owner's history; on the wire <c>microseconds.transfer.account</c>.</summary>
public readonly record struct StatementCursor(DateTimeOffset At, long Transfer, long AccountRow)
{
    private static readonly long Latest = (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static bool TryParse(string text, out StatementCursor cursor)
    {
        cursor = default;
        var dot = text.IndexOf('.');
        if (dot < 1 || !long.TryParse(text.AsSpan(0, dot), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var micros)
            || micros > Latest || !LedgerCursor.TryParse(text[(dot + 1)..], out var line))
            return false;
        cursor = new StatementCursor(DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond), line.Transfer, line.AccountRow);
        return true;
    }

    public override string ToString() => $"{(At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}.{Transfer}.{AccountRow}";
}

/// <summary>A place in the journal; on the wire <c>transfer.account</c>.</summary>
public readonly record struct LedgerCursor(long Transfer, long AccountRow)
{
    public static bool TryParse(string text, out LedgerCursor cursor)
    {
        cursor = default;
        var dot = text.IndexOf('.');
        if (dot < 1 || !Number(text.AsSpan(0, dot), out var transfer) || !Number(text.AsSpan(dot + 1), out var account))
            return false;
        cursor = new LedgerCursor(transfer, account);
        return true;

        static bool Number(ReadOnlySpan<char> digits, out long value) =>
            long.TryParse(digits, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out value);
    }

    public override string ToString() => $"{Transfer}.{AccountRow}";
}
