using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>The daily checkpoints and what they are made of.</summary>
public interface ICheckpoints
{
    /// <summary>The checkpoint of a day, UTC; null: none.</summary>
    Task<SignedCheckpoint?> FindAsync(DateOnly day, CancellationToken cancel);

    /// <summary>Latest first, of days before <paramref name="before"/>.</summary>
    Task<IReadOnlyList<SignedCheckpoint>> ListAsync(DateOnly before, int limit, CancellationToken cancel);

    /// <summary>Head of the chain with supply and hash of the balances as of its last transfer; null while nothing is sealed. One pass over the accounts.</summary>
    Task<LedgerState?> StateAsync(CancellationToken cancel);

    /// <summary>False when the day has one already.</summary>
    Task<bool> AddAsync(SignedCheckpoint checkpoint, CancellationToken cancel);

    /// <summary>Checkpoints whose block is gone from the chain or has another hash.</summary>
    Task<IReadOnlyList<DateOnly>> OffChainAsync(CancellationToken cancel);
}

public sealed record LedgerState(long Block, byte[] HeadHash, long SupplyMicro, byte[] BalancesHash);

/// <summary>The control plane's key for checkpoints. It lies beside the database, never in it.</summary>
public interface ILedgerSigner
{
    /// <summary>SubjectPublicKeyInfo, P-256.</summary>
    byte[] PublicKey { get; }

    /// <summary>ECDSA over SHA-256, DER.</summary>
    byte[] Sign(byte[] data);

    /// <summary>Whether checkpoints under this key (its id) count: the own one, and former ones that the key file names.</summary>
    bool Trusts(string keyId);
}

internal static class CheckpointDifferences
{
    /// <summary>Everything that is wrong with the checkpoints: signature, key, or that the chain has gone another way since.</summary>
    public static async Task<IReadOnlyList<LedgerDifference>> FindAsync(ICheckpoints checkpoints, ILedgerSigner signer, CancellationToken cancel)
    {
        var found = new List<LedgerDifference>();
        foreach (var checkpoint in await checkpoints.ListAsync(DateOnly.MaxValue, int.MaxValue, cancel))
        {
            var fault = checkpoint.Fault() ?? (signer.Trusts(checkpoint.Checkpoint.KeyId) ? null : $"it is signed with key {checkpoint.Checkpoint.KeyId}, which the key file does not name");
            if (fault is not null)
                found.Add(Differs(checkpoint.Checkpoint.Day, "a checkpoint signed by this control plane", fault));
        }
        found.AddRange((await checkpoints.OffChainAsync(cancel)).Select(day => Differs(day, "its block in the chain", "no such block, or one with another hash")));
        return found;
    }

    private static LedgerDifference Differs(DateOnly day, string expected, string found) => new("checkpoint", $"day {day:yyyy-MM-dd}", expected, found);
}
