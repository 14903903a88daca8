using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.Tokenomics.Parameters;

/// <summary>The values in force as the rules of pricing, verification and settlement take them. The rules know terms, not parameters.</summary>
public static class ParameterTerms
{
    private const double Whole = 10_000;

    public static PriceTerms PriceOf(this ParameterValues values, SlaTier tier) => new(
        values[ParameterCatalogue.CoreHour], values[ParameterCatalogue.GibHour], (int)values[PriceFactor(tier)], (int)values[ParameterCatalogue.HoldMargin], values.Version);

    /// <summary>How often results of such a job are audited.</summary>
    public static AuditPolicy AuditsOf(this ParameterValues values, TierTerms terms) => new(
        terms.Audited ? values[ParameterCatalogue.BronzeAudit] / Whole : 0, (int)values[ParameterCatalogue.AuditStreak], values[ParameterCatalogue.AuditFloor] / Whole);

    public static SettlementShares Shares(this ParameterValues values) =>
        new((int)values[ParameterCatalogue.ProviderShare], (int)values[ParameterCatalogue.BurnedShare], values.Version);

    private static ParameterDefinition PriceFactor(SlaTier tier) => tier switch
    {
        SlaTier.Bronze => ParameterCatalogue.BronzePrice,
        SlaTier.Silver => ParameterCatalogue.SilverPrice,
        SlaTier.Gold => ParameterCatalogue.GoldPrice,
        SlaTier.Platinum => ParameterCatalogue.PlatinumPrice,
        _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, null),
    };
}
