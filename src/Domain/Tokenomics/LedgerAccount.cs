using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Tokenomics;

public enum AccountKind
{
    /// <summary>The contra account of genesis, the only one below zero: minus what was ever issued.</summary>
    Issuance,
    Treasury,
    Sovereign,
    RewardsPool,
    /// <summary>Greets new accounts.</summary>
    Faucet,
    Fees,
    /// <summary>Out of circulation for good; nothing debits it.</summary>
    Burned,
    Slashed,
    /// <summary>What its owner may spend.</summary>
    Available,
    /// <summary>Set aside for open jobs; equals the sum of their holds.</summary>
    Held,
    Staked,
    Unbonding,
}

/// <summary>One account of the ledger: a system account (no owner) or one of the four accounts of an owner.</summary>
public readonly record struct LedgerAccount
{
    private LedgerAccount(AccountKind kind, AccountId? owner)
    {
        Kind = kind;
        Owner = owner;
    }

    public AccountKind Kind { get; }

    public AccountId? Owner { get; }

    public static LedgerAccount System(AccountKind kind) =>
        kind < AccountKind.Available ? new(kind, null) : throw new ArgumentException($"{kind} belongs to an owner.", nameof(kind));

    public static LedgerAccount Of(AccountId owner, AccountKind kind) =>
        kind >= AccountKind.Available ? new(kind, owner) : throw new ArgumentException($"{kind} is a system account.", nameof(kind));

    public static LedgerAccount Available(AccountId owner) => Of(owner, AccountKind.Available);

    public static LedgerAccount Held(AccountId owner) => Of(owner, AccountKind.Held);

    public static LedgerAccount Staked(AccountId owner) => Of(owner, AccountKind.Staked);

    public static LedgerAccount Unbonding(AccountId owner) => Of(owner, AccountKind.Unbonding);

    public override string ToString() => Owner is { } owner ? $"{Kind} of {owner}" : Kind.ToString();
}
