using static FogCompute.Domain.Tokenomics.Parameters.ParameterUnit;

namespace FogCompute.Domain.Tokenomics.Parameters;

/// <summary>
/// Every tunable of pricing, tiers, audits, settlement, staking, slashing and governance, with the bounds a proposal must keep. What is not here is not
/// tunable: what a tier is (replicas, agreement; only bronze is audited, the others compare every result), the supply, and how genesis divided it.
/// </summary>
public static class ParameterCatalogue
{
    private const long Hour = 3_600;
    private const long Day = 24 * Hour;

    public static readonly ParameterDefinition CoreHour = new("pricing.core_hour_micro", MicroCredits, 100_000, 1, 100_000_000, "Price of one core for one hour at the bronze tier.");
    public static readonly ParameterDefinition GibHour = new("pricing.gib_hour_micro", MicroCredits, 50_000, 0, 100_000_000, "Price of one GiB of memory for one hour at the bronze tier.");
    public static readonly ParameterDefinition HoldMargin = new("pricing.hold_margin_bp", BasisPoints, 11_000, 10_000, 20_000, "A job's hold as a share of its quote.");

    public static readonly ParameterDefinition BronzePrice = new("tiers.bronze_price_tenths", Tenths, 10, 1, 1_000, "Price multiplier of the bronze tier.");
    public static readonly ParameterDefinition SilverPrice = new("tiers.silver_price_tenths", Tenths, 25, 1, 1_000, "Price multiplier of the silver tier.");
    public static readonly ParameterDefinition GoldPrice = new("tiers.gold_price_tenths", Tenths, 50, 1, 1_000, "Price multiplier of the gold tier.");
    public static readonly ParameterDefinition PlatinumPrice = new("tiers.platinum_price_tenths", Tenths, 80, 1, 1_000, "Price multiplier of the platinum tier.");

    public static readonly ParameterDefinition BronzeAudit = new("audits.bronze_bp", BasisPoints, 200, 0, 10_000, "Share of bronze results that are executed again on another device.");
    public static readonly ParameterDefinition AuditStreak = new("audits.streak_count", Count, 10, 1, 1_000, "Verified results in a row after which a device is audited less.");
    public static readonly ParameterDefinition AuditFloor = new("audits.floor_bp", BasisPoints, 50, 1, 10_000, "Least share of a proven device's results that is executed again.");

    public static readonly ParameterDefinition ProviderShare = new("settlement.provider_bp", BasisPoints, 9_700, 5_000, 9_900, "Share of a charge that is paid to the owners of the agreeing devices.");
    public static readonly ParameterDefinition BurnedShare = new("settlement.burned_bp", BasisPoints, 100, 0, 100, "Share of a charge that is burned; what is left are fees.");

    public static readonly ParameterDefinition MinimumStake = new("staking.minimum_micro", MicroCredits, 1_000_000, 1, 1_000_000_000, "Least amount that can be staked at once.");
    public static readonly ParameterDefinition StakeLock = new("staking.lock_seconds", Seconds, 7 * Day, Day, 365 * Day, "How long a stake stays before it can be unstaked.") { FounderMin = 0 };
    public static readonly ParameterDefinition Unbonding = new("staking.unbonding_seconds", Seconds, 14 * Day, Day, 365 * Day, "How long what was unstaked waits before it can be claimed.") { FounderMin = 0 };
    public static readonly ParameterDefinition StakeYield = new("staking.yield_bp", BasisPoints, 500, 0, 2_000, "Yearly simple interest on stakes, from the rewards pool while it lasts.");

    public static readonly ParameterDefinition WrongResultSlash = new("slashing.wrong_result_bp", BasisPoints, 1_000, 0, 10_000, "Share of an owner's stake that a wrong result costs.");
    public static readonly ParameterDefinition EquivocationSlash = new("slashing.equivocation_bp", BasisPoints, 10_000, 0, 10_000, "Share of an owner's stake that two different signed receipts for one attempt cost.");
    public static readonly ParameterDefinition HarmedShare = new("slashing.harmed_bp", BasisPoints, 5_000, 0, 10_000, "Share of what is slashed that goes to the harmed requester; the rest is burned.");
    public static readonly ParameterDefinition AppealTime = new("slashing.appeal_seconds", Seconds, 3 * Day, Hour, 30 * Day, "How long a slashed owner may appeal; the amount waits meanwhile.") { FounderMin = 1 };

    public static readonly ParameterDefinition ProposalThreshold = new("governance.threshold_bp", BasisPoints, 10, 0, 1_000, "Share of the supply that a proposer must have staked.");
    public static readonly ParameterDefinition VotingDelay = new("governance.delay_seconds", Seconds, Day, Hour, 30 * Day, "Time from proposal to snapshot and vote.") { FounderMin = 1 };
    public static readonly ParameterDefinition VotingPeriod = new("governance.voting_seconds", Seconds, 7 * Day, Day, 30 * Day, "How long is voted.") { FounderMin = 1 };
    public static readonly ParameterDefinition Quorum = new("governance.quorum_bp", BasisPoints, 1_000, 100, 5_000, "Share of the supply at the snapshot that must vote for or abstain.") { FounderMin = 0 };
    public static readonly ParameterDefinition Approval = new("governance.approval_bp", BasisPoints, 6_000, 5_001, 9_000, "Share of for + against that must be for.");
    public static readonly ParameterDefinition LateQuorumExtension = new("governance.late_quorum_seconds", Seconds, 2 * Day, 0, 30 * Day, "Time that remains at least after the quorum is reached.");
    public static readonly ParameterDefinition Timelock = new("governance.timelock_seconds", Seconds, 2 * Day, Hour, 30 * Day, "Time from success to execution.") { FounderMin = 1 };
    public static readonly ParameterDefinition Grace = new("governance.grace_seconds", Seconds, 14 * Day, Day, 90 * Day, "How long after the timelock a proposal can be executed before it expires.") { FounderMin = 1 };
    public static readonly ParameterDefinition OpenProposals = new("governance.open_proposals_count", Count, 3, 1, 100, "Most unfinished proposals of one account.");
    public static readonly ParameterDefinition TreasuryLimit = new("governance.treasury_bp", BasisPoints, 500, 0, 500, "Largest share of the treasury that one proposal may transfer.");

    public static readonly ParameterDefinition Preemption = new("features.preemption", Flag, 1, 0, 1, "Whether running work gives way to waiting work of much higher priority.");
    public static readonly ParameterDefinition Speculation = new("features.speculation", Flag, 1, 0, 1, "Whether the last tasks of an array get a copy elsewhere when they run long.");

    /// <summary>All of them, grouped, in the order people read them.</summary>
    public static readonly IReadOnlyList<ParameterDefinition> All =
    [
        CoreHour, GibHour, HoldMargin, BronzePrice, SilverPrice, GoldPrice, PlatinumPrice, BronzeAudit, AuditStreak, AuditFloor,
        ProviderShare, BurnedShare, MinimumStake, StakeLock, Unbonding, StakeYield, WrongResultSlash, EquivocationSlash, HarmedShare, AppealTime,
        ProposalThreshold, VotingDelay, VotingPeriod, Quorum, Approval, LateQuorumExtension, Timelock, Grace, OpenProposals, TreasuryLimit, Preemption, Speculation,
    ];

    private static readonly Dictionary<string, ParameterDefinition> ByName = All.ToDictionary(p => p.Name, StringComparer.Ordinal);

    public static ParameterDefinition? Find(string name) => ByName.GetValueOrDefault(name);
}
