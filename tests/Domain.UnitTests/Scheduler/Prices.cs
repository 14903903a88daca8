using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>What holds while nobody has changed a parameter.</summary>
internal static class Prices
{
    public static PriceTerms Of(SlaTier tier) => ParameterValues.Defaults.PriceOf(tier);

    public static AuditPolicy Audits(double tierRate) => ParameterValues.Defaults.AuditsOf(TierTerms.Of(SlaTier.Bronze)) with { TierRate = tierRate };

}
