using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.Scheduler;

public enum SlaTier { Bronze, Silver, Gold, Platinum }

/// <summary>What a tier buys. Its price, and how often results are audited, are parameters of the pool.</summary>
/// <param name="Replicas">Replicas leased at first, on distinct devices.</param>
/// <param name="Agree">Equal digests needed to accept.</param>
/// <param name="MaxReplicas">Tie-break limit: without agreement among this many results the task fails.</param>
/// <param name="Audited">Whether some results are re-executed on another device. Tiers that compare replicas anyway are not audited on top.</param>
/// <param name="QueueBound">Longest wait for the first start that still meets the tier.</param>
public sealed record TierTerms(SlaTier Tier, int Replicas, int Agree, int MaxReplicas, bool Audited, TimeSpan QueueBound, bool PreferDistinctOwners, bool AttestedOnly)
{
    public static readonly IReadOnlyDictionary<SlaTier, TierTerms> All = new Dictionary<SlaTier, TierTerms>
    {
        [SlaTier.Bronze] = new(SlaTier.Bronze, 1, 1, 3, true, TimeSpan.FromMinutes(60), false, false),
        [SlaTier.Silver] = new(SlaTier.Silver, 2, 2, 3, false, TimeSpan.FromMinutes(30), false, false),
        [SlaTier.Gold] = new(SlaTier.Gold, 3, 2, 5, false, TimeSpan.FromMinutes(10), true, false),
        [SlaTier.Platinum] = new(SlaTier.Platinum, 3, 3, 5, false, TimeSpan.FromMinutes(5), true, true),
    };

    public static TierTerms Of(SlaTier tier) => All[tier];

    /// <summary>The point of a front that the tier stands for where nobody names another.</summary>
    public PlanKind Plan => Tier switch
    {
        SlaTier.Bronze => PlanKind.Cheap,
        SlaTier.Silver => PlanKind.Knee,
        SlaTier.Gold => PlanKind.Safe,
        _ => PlanKind.Fast,
    };

    /// <summary>A non-deterministic job cannot be compared: one replica, one result, whatever the tier.</summary>
    /// <param name="checkpointing">
    /// Whether a run may go on from another's checkpoint. What it printed before is then in another attempt's log, so that its digest cannot be compared with that
    /// of a whole run: with one replica nothing is audited. Several replicas always run whole.
    /// </param>
    public TierTerms For(bool deterministic, bool checkpointing = false) =>
        !deterministic ? this with { Replicas = 1, Agree = 1, MaxReplicas = 1, Audited = false }
        : checkpointing && TakesCheckpoints ? this with { Audited = false }
        : this;

    /// <summary>Whether a checkpoint is taken over into the next run: only where one replica's result is taken as it is.</summary>
    public bool TakesCheckpoints => Replicas == 1;
}
