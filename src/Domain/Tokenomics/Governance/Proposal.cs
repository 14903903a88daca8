using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>
/// One proposal as it is on record. Its state is a pure function of these facts and the time (<see cref="StateAt"/>), as in OpenZeppelin's
/// Governor; only its end is stored, so that it stays what it was. Every method answers a changed copy.
/// <para>
/// Instants: a phase begins with its first instant and ends before the first instant of the next. Voting is
/// <c>SnapshotAt ≤ now &lt; VotingEndsAt</c>, execution <c>Eta ≤ now &lt; Eta + Grace</c>.
/// </para>
/// </summary>
public sealed record Proposal
{
    public required string Id { get; init; }

    public required AccountId Proposer { get; init; }

    public required string Title { get; init; }

    public required string Description { get; init; }

    /// <summary>The very text that will run (<see cref="ProposalAction.Canonical"/>).</summary>
    public required string Payload { get; init; }

    /// <summary>SHA-256 of the payload, hex.</summary>
    public required string ActionsHash { get; init; }

    public required ProposalTerms Terms { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the snapshot is due; once taken: when it was.</summary>
    public required DateTimeOffset SnapshotAt { get; init; }

    /// <summary>Null: not taken yet, so nobody can vote.</summary>
    public ProposalSnapshot? Snapshot { get; init; }

    /// <summary>First instant at which no ballot is taken any more.</summary>
    public required DateTimeOffset VotingEndsAt { get; init; }

    public Tally Votes { get; init; }

    /// <summary>First instant at which it may run; null: not queued.</summary>
    public DateTimeOffset? Eta { get; init; }

    public ProposalEnd? End { get; init; }

    /// <summary>Micro-credits its execution took from the treasury.</summary>
    public long GrantedMicro { get; init; }

    /// <summary>First instant at which it is too late to run; null: not queued.</summary>
    public DateTimeOffset? ExpiresAt => Eta + Terms.Grace;

    /// <summary>When something is to be done about it next; null: never again.</summary>
    public DateTimeOffset? DueAt => End is not null ? null : Snapshot is null ? SnapshotAt : Eta ?? VotingEndsAt;

    public bool QuorumReached => Snapshot is { } snapshot && Votes.ReachesQuorum(snapshot.SupplyMicro, Terms.QuorumBp);

    private bool Carried => QuorumReached && Votes.IsApproved(Terms.ApprovalBp);

    public static Proposal Create(AccountId proposer, string title, string description, ProposalAction? action, ProposalTerms terms, DateTimeOffset now)
    {
        var payload = ProposalAction.Canonical(action);
        return new Proposal
        {
            Id = ProposalIdentity.Of(proposer, payload, title, description), Proposer = proposer, Title = title, Description = description, Payload = payload,
            ActionsHash = ProposalIdentity.ActionsHash(payload), Terms = terms, CreatedAt = now, SnapshotAt = now + terms.Delay, VotingEndsAt = now + terms.Delay + terms.Voting,
        };
    }

    public ProposalState StateAt(DateTimeOffset now)
    {
        if (End is { } end)
            return end.State;
        if (Snapshot is null || now < SnapshotAt)
            return ProposalState.Pending;
        if (now < VotingEndsAt)
            return ProposalState.Active;
        if (Eta is null)
            return Carried ? ProposalState.Succeeded : ProposalState.Defeated;
        return now < ExpiresAt ? ProposalState.Queued : ProposalState.Expired;
    }

    /// <summary>The delay is over and this is what counts. The voting period begins now, so an outage at this moment takes nothing from it.</summary>
    public Proposal Activate(ProposalSnapshot snapshot, DateTimeOffset now)
    {
        if (Snapshot is not null || now < SnapshotAt)
            throw new InvalidOperationException($"Proposal {Id} is not due for its snapshot.");
        return Require(ProposalState.Pending, now) with { Snapshot = snapshot, SnapshotAt = now, VotingEndsAt = now + Terms.Voting };
    }

    /// <summary>
    /// Counts the votes anew after a ballot. When this ballot made the quorum be reached, voting ends no earlier than the late-quorum extension
    /// after it. Ballots can change, so a quorum can be lost and reached again: each time before the end that was planned at the snapshot counts,
    /// none after it. So the vote is at most one extension longer, and no quorum comes as a surprise.
    /// </summary>
    public Proposal Count(Tally votes, DateTimeOffset now)
    {
        var counted = Require(ProposalState.Active, now) with { Votes = votes };
        var late = now + Terms.LateQuorum;
        return !QuorumReached && counted.QuorumReached && now < SnapshotAt + Terms.Voting && late > VotingEndsAt ? counted with { VotingEndsAt = late } : counted;
    }

    /// <summary>The timelock begins when the result is on record, so that everybody has all of it to look at what will run.</summary>
    public Proposal Queue(DateTimeOffset now) => Require(ProposalState.Succeeded, now) with { Eta = now + Terms.Timelock };

    public Proposal Defeat(DateTimeOffset now) => Require(ProposalState.Defeated, now).Ended(ProposalState.Defeated,
        QuorumReached ? "not_approved" : "quorum_missed",
        QuorumReached ? "Too few of the votes for and against were for it." : "Too few votes were for it or abstained.", now);

    public Proposal Expire(DateTimeOffset now) => Require(ProposalState.Expired, now).Ended(ProposalState.Expired, "grace_over", "It was not executed in time after its timelock.", now);

    public Proposal Execute(long grantedMicro, DateTimeOffset now) => RequireExecutable(now)
        .Ended(ProposalState.Executed, null, ProposalAction.Parse(Payload) is null ? "A resolution; nothing was to be run." : "Its payload ran.", now) with { GrantedMicro = grantedMicro };

    public Proposal Fail(string reason, string why, DateTimeOffset now) => RequireExecutable(now).Ended(ProposalState.ExecutionFailed, reason, why, now);

    /// <summary>While pending its proposer may withdraw it.</summary>
    public Proposal Withdraw(string why, DateTimeOffset now) => Require(ProposalState.Pending, now).Ended(ProposalState.Cancelled, "cancelled_by_proposer", why, now);

    /// <summary>A guardian may stop it as long as it has no end.</summary>
    public Proposal Stop(string why, DateTimeOffset now) => StateAt(now) is ProposalState.Pending or ProposalState.Active or ProposalState.Succeeded or ProposalState.Queued
        ? Ended(ProposalState.Cancelled, "cancelled_by_guardian", why, now)
        : throw new FogException(TokenomicsErrors.ProposalOver(StateAt(now)));

    /// <summary>Whether payload, hash and id still belong together, as they did when it was shown.</summary>
    public bool IsAsShown => ActionsHash == ProposalIdentity.ActionsHash(Payload) && Id == ProposalIdentity.Of(Proposer, Payload, Title, Description);

    private Proposal RequireExecutable(DateTimeOffset now) => Require(ProposalState.Queued, now).Eta <= now
        ? this
        : throw new InvalidOperationException($"Proposal {Id} is still in its timelock.");

    private Proposal Require(ProposalState state, DateTimeOffset now) => StateAt(now) == state ? this : throw new FogException(TokenomicsErrors.ProposalIs(StateAt(now), state, this));

    private Proposal Ended(ProposalState state, string? reason, string why, DateTimeOffset now) => this with { End = new ProposalEnd(state, reason, why, now) };
}
