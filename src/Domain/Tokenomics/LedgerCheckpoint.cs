using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Domain.Tokenomics;

/// <summary>The state of the ledger on one day: whoever keeps it can tell later whether the history before it was rewritten.</summary>
/// <param name="Day">UTC.</param>
/// <param name="Block">Last sealed block; the balances are as of its last transfer.</param>
/// <param name="HeadHash">Hash of that block, which covers the whole journal before it.</param>
/// <param name="SupplyMicro">Sum of all accounts but issuance.</param>
/// <param name="BalancesHash">SHA-256 over all accounts that are not zero, see <see cref="BalancesHasher"/>.</param>
/// <param name="KeyId">SHA-256 of the signer's public key (SubjectPublicKeyInfo), lower-case hex.</param>
public sealed record LedgerCheckpoint(DateOnly Day, long Block, byte[] HeadHash, long SupplyMicro, byte[] BalancesHash, DateTimeOffset At, string KeyId)
{
    /// <summary>What is signed: eight lines of UTF-8 text, each ended by a line feed, so that any tool can show and check it.</summary>
    public byte[] Canonical() => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"fogcompute ledger checkpoint 1\nday {Day:yyyy-MM-dd}\nblock {Block}\nhead {Convert.ToHexStringLower(HeadHash)}\nsupply {SupplyMicro}\nbalances {Convert.ToHexStringLower(BalancesHash)}\nat {At.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}\nkey {KeyId}\n"));

    /// <summary>Names a public key.</summary>
    public static string KeyIdOf(byte[] publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));
}

/// <summary>A checkpoint with what proves it.</summary>
/// <param name="Signed">The signed bytes.</param>
/// <param name="Signature">ECDSA P-256 over their SHA-256, DER (RFC 3279).</param>
/// <param name="PublicKey">SubjectPublicKeyInfo.</param>
public sealed record SignedCheckpoint(LedgerCheckpoint Checkpoint, byte[] Signed, byte[] Signature, byte[] PublicKey)
{
    /// <summary>Null when the signature holds for exactly these fields; otherwise what is wrong. Whether the key is to be trusted is for the caller to know.</summary>
    public string? Fault()
    {
        if (!Signed.AsSpan().SequenceEqual(Checkpoint.Canonical()))
            return "its fields are not those that were signed";
        if (LedgerCheckpoint.KeyIdOf(PublicKey) != Checkpoint.KeyId)
            return "its public key is not the one that it names";
        using var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(PublicKey, out _);
        }
        catch (CryptographicException)
        {
            return "its public key cannot be read";
        }
        return key.VerifyData(Signed, Signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) ? null : "its signature does not hold";
    }
}

/// <summary>
/// SHA-256 over one line of UTF-8 text per account that is not zero, in ascending row id: <c>id kind owner balance</c>, separated by blanks and ended by a line feed;
/// the owner is a UUID, or <c>-</c> for the pool's own accounts; the balance is in micro-credits.
/// </summary>
public sealed class BalancesHasher : IDisposable
{
    private readonly IncrementalHash _sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public void Append(long row, string kind, Guid? owner, long balance)
    {
        if (balance != 0)
            _sha.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{row} {kind} {owner?.ToString("D") ?? "-"} {balance}\n")));
    }

    public byte[] End() => _sha.GetHashAndReset();

    public void Dispose() => _sha.Dispose();
}
