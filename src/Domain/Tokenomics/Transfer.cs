using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.Tokenomics;

public enum TransferKind
{
    Genesis,
    FaucetGrant,
    Hold,
    Settlement,
    Release,
    /// <summary>Available → staked.</summary>
    Stake,
    /// <summary>Staked → unbonding.</summary>
    Unstake,
    /// <summary>Unbonding → available.</summary>
    Claim,
    /// <summary>Rewards pool → available.</summary>
    StakingReward,
    /// <summary>Staked or unbonding → slashed, where it waits for the appeal.</summary>
    Slash,
    /// <summary>Slashed → the harmed requester's available and burned.</summary>
    SlashExecution,
    /// <summary>Slashed → back to its owner.</summary>
    SlashReversal,
    /// <summary>Treasury → available, by a proposal.</summary>
    TreasuryGrant,
}

/// <summary>One signed amount on one account.</summary>
/// <param name="Amount">Micro-credits, never 0; positive: credited.</param>
public readonly record struct Posting(LedgerAccount Account, long Amount);

/// <summary>
/// One balanced movement of micro-credits. Invariants: the postings sum to zero, none is zero, each account occurs once, and they are in the
/// ledger's canonical order; so equal movements are equal postings.
/// </summary>
public sealed record Transfer
{
    /// <summary>Characters of an idempotency key, at most.</summary>
    public const int MaxKeyLength = 200;

    private Transfer(TransferKind kind, string key, IReadOnlyList<Posting> postings, DateTimeOffset at)
    {
        Kind = kind;
        IdempotencyKey = key;
        Postings = postings;
        At = at;
    }

    public TransferKind Kind { get; }

    /// <summary>The same movement always has the same key, so that it can happen once only.</summary>
    public string IdempotencyKey { get; }

    public IReadOnlyList<Posting> Postings { get; }

    public DateTimeOffset At { get; }

    public JobId? Job { get; private init; }

    public int? TaskIndex { get; private init; }

    /// <summary>Why these amounts, as JSON text; null where the kind says it all.</summary>
    public string? Cause { get; private init; }

    /// <summary>Builds a transfer; movements of the same account are added up and accounts that come out at zero are left out.</summary>
    /// <exception cref="ArgumentException">Not balanced, empty without being a settlement, or a key outside 1–200 characters.</exception>
    public static Transfer Create(
        TransferKind kind, string key, IEnumerable<Posting> movements, DateTimeOffset at, JobId? job = null, int? taskIndex = null, string? cause = null)
    {
        if (key.Length is 0 or > MaxKeyLength)
            throw new ArgumentException($"An idempotency key has 1 to {MaxKeyLength} characters, not {key.Length}.", nameof(key));
        var amounts = new SortedDictionary<LedgerAccount, long>(CanonicalOrder.Instance);
        Int128 sum = 0;
        foreach (var (account, amount) in movements)
        {
            amounts[account] = checked(amounts.GetValueOrDefault(account) + amount);
            sum += amount;
        }
        if (sum != 0)
            throw new ArgumentException($"The movements of '{key}' sum to {sum} micro-credits instead of zero.", nameof(movements));
        var postings = amounts.Where(a => a.Value != 0).Select(a => new Posting(a.Key, a.Value)).ToArray();
        // A settlement whose hold was used up moves nothing, yet it must be on record with its shortfall.
        if (postings.Length == 0 && kind != TransferKind.Settlement)
            throw new ArgumentException($"'{key}' moves nothing.", nameof(movements));
        return new Transfer(kind, key, postings, at) { Job = job, TaskIndex = taskIndex, Cause = cause };
    }

    /// <summary>True when both record the same movement for the same reason; the time does not count.</summary>
    public bool SaysTheSameAs(Transfer other) =>
        Kind == other.Kind && IdempotencyKey == other.IdempotencyKey && Job == other.Job && TaskIndex == other.TaskIndex
        && Cause == other.Cause && Postings.SequenceEqual(other.Postings);

    /// <summary>The other side of a line, as its owner reads it.</summary>
    public static AccountKind Counterpart(TransferKind kind, AccountKind account) => (kind, account) switch
    {
        (TransferKind.Genesis, AccountKind.Issuance) => AccountKind.Treasury,
        (TransferKind.Genesis, _) => AccountKind.Issuance,
        (TransferKind.FaucetGrant, AccountKind.Faucet) => AccountKind.Available,
        (TransferKind.FaucetGrant, _) => AccountKind.Faucet,
        (TransferKind.Stake, AccountKind.Available) => AccountKind.Staked,
        (TransferKind.Stake, _) => AccountKind.Available,
        (TransferKind.Unstake, AccountKind.Staked) => AccountKind.Unbonding,
        (TransferKind.Unstake, _) => AccountKind.Staked,
        (TransferKind.Claim, AccountKind.Unbonding) => AccountKind.Available,
        (TransferKind.Claim, _) => AccountKind.Unbonding,
        (TransferKind.StakingReward, _) => AccountKind.RewardsPool,
        (TransferKind.Slash or TransferKind.SlashExecution or TransferKind.SlashReversal, _) => AccountKind.Slashed,
        (TransferKind.TreasuryGrant, _) => AccountKind.Treasury,
        (_, AccountKind.Held) => AccountKind.Available,
        _ => AccountKind.Held,
    };

    private sealed class CanonicalOrder : IComparer<LedgerAccount>
    {
        public static readonly CanonicalOrder Instance = new();

        public int Compare(LedgerAccount x, LedgerAccount y) =>
            x.Kind != y.Kind ? x.Kind.CompareTo(y.Kind) : Nullable.Compare<Guid>(x.Owner?.Value, y.Owner?.Value);
    }
}

/// <summary>Everything that will ever exist. Written by migration 0005; a test holds the two together.</summary>
public static class Genesis
{
    public const long CapMicro = 1_000_000 * Credits.MicroPerCredit;

    /// <summary>What a new account gets from the faucet, while it lasts.</summary>
    public const long GrantMicro = 100 * Credits.MicroPerCredit;

    public static Transfer Transfer(DateTimeOffset at) => Tokenomics.Transfer.Create(TransferKind.Genesis, "genesis",
    [
        new(LedgerAccount.System(AccountKind.Issuance), -CapMicro),
        new(LedgerAccount.System(AccountKind.Treasury), CapMicro / 100 * 15),
        new(LedgerAccount.System(AccountKind.Sovereign), CapMicro / 100 * 5),
        new(LedgerAccount.System(AccountKind.RewardsPool), CapMicro / 100 * 60),
        new(LedgerAccount.System(AccountKind.Faucet), CapMicro / 100 * 20),
    ], at);

    /// <summary>The greeting of a new account: 100 credits or what the faucet still has; null when it is empty.</summary>
    public static Transfer? Greeting(AccountId owner, long faucetMicro, DateTimeOffset at)
    {
        var grant = Math.Min(GrantMicro, faucetMicro);
        return grant <= 0 ? null : Tokenomics.Transfer.Create(TransferKind.FaucetGrant, $"grant:{owner}",
            [new(LedgerAccount.System(AccountKind.Faucet), -grant), new(LedgerAccount.Available(owner), grant)], at);
    }
}
