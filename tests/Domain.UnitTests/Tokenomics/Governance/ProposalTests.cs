using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Domain.UnitTests.Tokenomics.Governance;

/// <summary>A proposal's states as a function of its facts and the time, to the tick at each boundary.</summary>
public sealed class ProposalTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);
    private static readonly AccountId Proposer = new(Guid.Parse("0190f7a0-0000-7000-8000-000000000001"));
    private static readonly ProposalTerms Terms = ProposalTerms.Of(ParameterValues.Defaults);
    private static readonly ProposalSnapshot Snapshot = new(42, 1_000_000, 7);

    private static readonly ProposalAction Action = new ProposalAction.SetParameter("pricing.core_hour_micro", 80_000);

    private static Proposal Pending(ProposalAction? action = null, ProposalTerms? terms = null) =>
        Proposal.Create(Proposer, "A lower price", "Because machines idle.", action ?? Action, terms ?? Terms, Start);

    private static Proposal Active(ProposalTerms? terms = null) => Pending(terms: terms) is var p ? p.Activate(Snapshot, p.SnapshotAt) : throw new InvalidOperationException();

    private static Proposal Queued()
    {
        var active = Active();
        return active.Count(new Tally(100_000, 0, 0), active.SnapshotAt).Queue(active.VotingEndsAt);
    }

    [Test]
    public void Takes_the_rules_in_force_at_its_creation() =>
        Assert.That(Terms, Is.EqualTo(new ProposalTerms(TimeSpan.FromDays(1), TimeSpan.FromDays(7), 1_000, 6_000, TimeSpan.FromDays(2), TimeSpan.FromDays(2), TimeSpan.FromDays(14))));

    [Test]
    public void Is_pending_to_its_snapshot_and_stays_so_until_that_is_taken()
    {
        var proposal = Pending();
        Assert.That(proposal.SnapshotAt, Is.EqualTo(Start.AddDays(1)));
        Assert.That(proposal.DueAt, Is.EqualTo(proposal.SnapshotAt));
        Assert.That(proposal.StateAt(proposal.SnapshotAt - Tick), Is.EqualTo(ProposalState.Pending));
        Assert.That(proposal.StateAt(proposal.SnapshotAt.AddDays(30)), Is.EqualTo(ProposalState.Pending), "without a snapshot nobody could vote");
        Assert.That(() => proposal.Activate(Snapshot, proposal.SnapshotAt - Tick), Throws.InvalidOperationException);
        Assert.That(() => Active().Activate(Snapshot, Start.AddDays(2)), Throws.InvalidOperationException, "a snapshot is taken once");
    }

    [Test]
    public void A_late_snapshot_takes_nothing_from_the_vote()
    {
        var late = Pending() is var p ? p.Activate(Snapshot, p.SnapshotAt.AddDays(3)) : null!;
        Assert.That(late.SnapshotAt, Is.EqualTo(Start.AddDays(4)));
        Assert.That(late.VotingEndsAt, Is.EqualTo(Start.AddDays(11)));
    }

    [Test]
    public void Votes_from_the_snapshot_until_just_before_the_end()
    {
        var active = Active();
        Assert.That(active.StateAt(active.SnapshotAt), Is.EqualTo(ProposalState.Active));
        Assert.That(active.StateAt(active.VotingEndsAt - Tick), Is.EqualTo(ProposalState.Active));
        Assert.That(active.StateAt(active.VotingEndsAt), Is.EqualTo(ProposalState.Defeated));
        Assert.That(active.StateAt(active.SnapshotAt - Tick), Is.EqualTo(ProposalState.Pending), "a clock that is behind does not open the vote");
        Assert.That(() => active.Count(new Tally(1, 0, 0), active.VotingEndsAt - Tick), Throws.Nothing);
        Assert.That(() => active.Count(new Tally(1, 0, 0), active.VotingEndsAt), Throws.TypeOf<FogException>().With.Property("Error").Property("Code").EqualTo("tokenomics.voting_closed"));
        Assert.That(() => Pending().Count(new Tally(1, 0, 0), Start), Throws.TypeOf<FogException>());
    }

    [Test]
    public void Runs_from_the_end_of_its_timelock_until_just_before_the_end_of_its_grace()
    {
        var queued = Queued();
        Assert.That(queued.Eta, Is.EqualTo(queued.VotingEndsAt.AddDays(2)));
        Assert.That(queued.StateAt(queued.VotingEndsAt), Is.EqualTo(ProposalState.Queued));
        Assert.That(() => queued.Execute(0, queued.Eta!.Value - Tick), Throws.InvalidOperationException);
        Assert.That(() => queued.Fail("x", "y", queued.Eta!.Value - Tick), Throws.InvalidOperationException);
        Assert.That(queued.Execute(0, queued.Eta!.Value).StateAt(queued.Eta!.Value), Is.EqualTo(ProposalState.Executed));
        Assert.That(queued.StateAt(queued.ExpiresAt!.Value - Tick), Is.EqualTo(ProposalState.Queued));
        Assert.That(queued.StateAt(queued.ExpiresAt!.Value), Is.EqualTo(ProposalState.Expired));
        Assert.That(() => queued.Execute(0, queued.ExpiresAt!.Value), Throws.TypeOf<FogException>());
        Assert.That(queued.Expire(queued.ExpiresAt!.Value).End!.Reason, Is.EqualTo("grace_over"));
    }

    [Test]
    public void An_end_is_final_whatever_the_time_and_has_nothing_more_to_do()
    {
        var active = Active();
        var queued = Queued();
        Proposal[] ends =
        [
            active.Defeat(active.VotingEndsAt), queued.Execute(0, queued.Eta!.Value), queued.Fail("x", "y", queued.Eta!.Value), queued.Expire(queued.ExpiresAt!.Value),
            Pending().Withdraw("wrong value", Start), queued.Stop("breaks the pool", Start.AddDays(9)),
        ];
        Assert.That(ends.Select(e => e.End!.State), Is.EqualTo(new[]
        {
            ProposalState.Defeated, ProposalState.Executed, ProposalState.ExecutionFailed, ProposalState.Expired, ProposalState.Cancelled, ProposalState.Cancelled,
        }));
        foreach (var end in ends)
        foreach (var at in new[] { Start, active.VotingEndsAt - Tick, Start.AddYears(1) })
        {
            Assert.That(end.StateAt(at), Is.EqualTo(end.End!.State));
            Assert.That(end.DueAt, Is.Null);
            Assert.That(() => end.Stop("again", at), Throws.TypeOf<FogException>().With.Property("Error").Property("Code").EqualTo("tokenomics.proposal_over"));
            Assert.That(() => end.Count(new Tally(1_000_000, 0, 0), at), Throws.TypeOf<FogException>());
            Assert.That(() => end.Queue(at), Throws.TypeOf<FogException>());
            Assert.That(() => end.Execute(0, at), Throws.TypeOf<FogException>());
        }
    }

    [Test]
    public void Its_proposer_withdraws_it_while_pending_only_a_guardian_stops_it_until_its_end()
    {
        var active = Active();
        Assert.That(() => active.Withdraw("x", active.SnapshotAt), Throws.TypeOf<FogException>());
        foreach (var (proposal, at) in new[] { (Pending(), Start), (active, active.SnapshotAt), (Queued(), active.VotingEndsAt) })
            Assert.That(proposal.Stop("x", at).End!.Reason, Is.EqualTo("cancelled_by_guardian"));
        Assert.That(() => active.Stop("x", active.VotingEndsAt), Throws.TypeOf<FogException>(), "a defeat cannot be called a cancellation");
    }

    [TestCase(0, 100_000, 0, "quorum_missed", TestName = "Against does not count for the quorum")]
    [TestCase(99_999, 0, 0, "quorum_missed", TestName = "One micro-credit below the quorum")]
    [TestCase(0, 0, 100_000, "quorum_missed", TestName = "Nobody is for it")]
    [TestCase(50_000, 50_000, 50_000, "not_approved", TestName = "A tie")]
    [TestCase(59_999, 40_001, 40_001, "not_approved", TestName = "One micro-credit below the approval")]
    public void Is_defeated(long @for, long against, long abstain, string reason)
    {
        var active = Active();
        var voted = active.Count(new Tally(@for, against, abstain), active.SnapshotAt);
        Assert.That(voted.StateAt(active.VotingEndsAt), Is.EqualTo(ProposalState.Defeated));
        Assert.That(voted.Defeat(active.VotingEndsAt).End!.Reason, Is.EqualTo(reason));
        Assert.That(() => voted.Queue(active.VotingEndsAt), Throws.TypeOf<FogException>());
    }

    [TestCase(100_000, 0, 0)]
    [TestCase(60_000, 40_000, 40_000)]
    [TestCase(1, 0, 99_999)]
    public void Succeeds_at_the_exact_quorum_and_approval(long @for, long against, long abstain)
    {
        var active = Active();
        Assert.That(active.Count(new Tally(@for, against, abstain), active.SnapshotAt).StateAt(active.VotingEndsAt), Is.EqualTo(ProposalState.Succeeded));
    }

    [Test]
    public void A_quorum_of_the_last_minute_prolongs_the_vote_and_an_early_one_does_not()
    {
        var active = Active();
        var end = active.VotingEndsAt;
        var early = active.Count(new Tally(100_000, 0, 0), end - Terms.LateQuorum);
        Assert.That(early.VotingEndsAt, Is.EqualTo(end));
        var late = active.Count(new Tally(100_000, 0, 0), end - Tick);
        Assert.That(late.VotingEndsAt, Is.EqualTo(end - Tick + Terms.LateQuorum));
        Assert.That(late.StateAt(end), Is.EqualTo(ProposalState.Active), "there is time to answer");
        Assert.That(late.Count(new Tally(100_000, 900_000, 0), end).StateAt(late.VotingEndsAt), Is.EqualTo(ProposalState.Defeated));
    }

    [Test]
    public void A_quorum_that_is_lost_and_reached_again_prolongs_the_vote_by_one_extension_in_all()
    {
        var active = Active();
        var end = active.VotingEndsAt;
        var reached = new Tally(100_000, 0, 0);
        var lost = new Tally(0, 100_000, 0);
        // Reached on the first day, dropped, and reached again a tick before the end: an extension bound to the first time would be spent.
        var again = active.Count(reached, active.SnapshotAt).Count(lost, active.SnapshotAt).Count(reached, end - Tick);
        Assert.That(again.VotingEndsAt, Is.EqualTo(end - Tick + Terms.LateQuorum));
        // In the extension it does not go on: the vote ends.
        var within = again.Count(lost, end).Count(reached, again.VotingEndsAt - Tick);
        Assert.That(within.VotingEndsAt, Is.EqualTo(again.VotingEndsAt));
    }

    [Test]
    public void Is_as_shown_only_with_the_payload_text_and_proposer_that_its_id_names()
    {
        var proposal = Pending();
        Assert.That(proposal.IsAsShown, Is.True);
        var other = ProposalAction.Canonical(new ProposalAction.SetParameter("pricing.core_hour_micro", 1));
        Assert.That((proposal with { Payload = other }).IsAsShown, Is.False);
        Assert.That((proposal with { Payload = other, ActionsHash = ProposalIdentity.ActionsHash(other) }).IsAsShown, Is.False);
        Assert.That((proposal with { Description = "Something else." }).IsAsShown, Is.False);
        Assert.That((proposal with { Proposer = new AccountId(Guid.Parse("0190f7a0-0000-7000-8000-000000000002")) }).IsAsShown, Is.False);
    }

    [Test]
    public void An_id_can_be_recomputed_from_what_is_shown()
    {
        var proposal = Pending();
        static string Sha(string text) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
        Assert.That(proposal.Payload, Is.EqualTo("""[{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000}]"""));
        Assert.That(proposal.Id, Is.EqualTo(Sha($"{AccountAddress.Of(Proposer)}\n{proposal.Payload}\n{Sha("A lower price\nBecause machines idle.")}")));
        Assert.That(proposal.ActionsHash, Is.EqualTo(Sha(proposal.Payload)));
        Assert.That(ProposalIdentity.IsWellFormed(proposal.Id), Is.True);
        Assert.That(ProposalIdentity.IsWellFormed(proposal.Id.ToUpperInvariant()), Is.False);
    }
}
