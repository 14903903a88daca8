using System.Text.Json;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>The wire's words of this part.</summary>
internal static class ProposalWords
{
    private static readonly Dictionary<string, ProposalState> StatesByWord = Enum.GetValues<ProposalState>().ToDictionary(LedgerWords.Of, StringComparer.Ordinal);

    public static IReadOnlyCollection<string> States => StatesByWord.Keys;

    public static ProposalState? State(string word) => StatesByWord.TryGetValue(word, out var state) ? state : null;

    /// <summary>true and false are for and against; null: none of the five.</summary>
    public static VoteChoice? Choice(JsonElement vote) => vote.ValueKind switch
    {
        JsonValueKind.True => VoteChoice.For,
        JsonValueKind.False => VoteChoice.Against,
        JsonValueKind.String => Enum.GetValues<VoteChoice>().Where(c => vote.GetRawText() == $"\"{LedgerWords.Of(c)}\"").Select(c => (VoteChoice?)c).SingleOrDefault(),
        _ => null,
    };

    /// <summary>As exactly as the database keeps it, so that what is answered now is what is read again.</summary>
    public static DateTimeOffset Now(this TimeProvider time)
    {
        var now = time.GetUtcNow();
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }
}

/// <summary>Whose vote, proposal or delegation it is. Nobody acts for another account here, operators neither.</summary>
internal static class GovernanceAccess
{
    public static async Task<OwnerBalances> OwnAsync(ILedgerBook book, AccountId caller, string? address, string field, CancellationToken cancel)
    {
        if (string.IsNullOrEmpty(address))
            return await book.FindAsync(caller, cancel) ?? throw new FogException(TokenomicsErrors.NoLedgerAccount);
        var owner = await book.FindAsync(address, cancel) ?? throw TokenomicsErrors.AddressNotFound.On(field);
        return owner.Owner == caller ? owner : throw IdentityErrors.NotYours.On(field);
    }
}
