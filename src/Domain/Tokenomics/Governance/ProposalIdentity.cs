using System.Security.Cryptography;
using System.Text;
using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>
/// Ids bind who proposes, what would run and what was said: id = SHA-256(proposer's address LF payload LF description hash), where the
/// description hash is SHA-256(title LF description); all of it text in UTF-8, hashes in lower-case hex. None of the parts before an LF can
/// contain one, so two different proposals never hash the same text. A copy of somebody's proposal therefore has another id
/// (GHSA-5h3x-9wvq-w4m2 is about ids that do not bind the proposer).
/// </summary>
public static class ProposalIdentity
{
    /// <summary>Characters of an id.</summary>
    public const int Length = 64;

    public static string Of(AccountId proposer, string payload, string title, string description) =>
        Hex($"{AccountAddress.Of(proposer)}\n{payload}\n{Hex($"{title}\n{description}")}");

    /// <summary>SHA-256 of the payload, hex.</summary>
    public static string ActionsHash(string payload) => Hex(payload);

    public static bool IsWellFormed(string? id) => id is { Length: Length } && id.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f'));

    private static string Hex(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
