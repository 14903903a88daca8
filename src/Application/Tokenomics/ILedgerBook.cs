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
}

/// <summary>Micro-credits of one owner, and what settlements ever paid them.</summary>
public sealed record OwnerBalances(AccountId Owner, string Address, long Available, long Held, long Staked, long Unbonding, long Earned, DateTimeOffset UpdatedAt);

/// <summary>One posting with the transfer it belongs to.</summary>
/// <param name="AccountRow">Row id of the account; with the transfer it names the line.</param>
public sealed record LedgerLine(
    long Transfer, long AccountRow, DateTimeOffset At, TransferKind Kind, AccountKind Account, long Amount, Guid? Job, int? TaskIndex, string? Cause);

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
