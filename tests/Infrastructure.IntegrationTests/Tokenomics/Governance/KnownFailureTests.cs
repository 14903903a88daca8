using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics.Governance;

/// <summary>One test per failure that governors are known for; docs/governance.md lists them with what refuses each.</summary>
public sealed class KnownFailureTests
{
    private static readonly ProposalActionInput CheaperCores = new() { Type = ProposalActionType.SetParameter, Name = "pricing.core_hour_micro", Value = 80_000 };

    private GovernanceWorld _world = null!;
    private AccountId _whale;
    private AccountId _other;

    [SetUp]
    public async Task SetUp()
    {
        _world = await GovernanceWorld.CreateAsync();
        _whale = await _world.OpenAsync(staked: 20_000);
        _other = await _world.OpenAsync(staked: 5_000);
    }

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    [Test]
    public async Task Vote_after_unstake()
    {
        var id = await _world.OpenVoteAsync(_whale);
        await _world.UnstakeAsync(_other, Credits.ToMicro(5_000));
        await GovernanceWorld.RefusedAsync("tokenomics.no_voting_power", () => _world.VoteAsync(id, _other, VoteChoice.For));
    }

    [Test]
    public async Task Vote_with_a_part_that_has_left()
    {
        var id = await _world.OpenVoteAsync(_whale);
        await _world.UnstakeAsync(_other, Credits.ToMicro(2_000));
        Assert.That(await _world.VoteAsync(id, _other, VoteChoice.For), Is.EqualTo(3_000m), "what left does not vote");
    }

    [Test]
    public async Task Vote_again_from_another_account_after_a_transfer()
    {
        var id = await _world.OpenVoteAsync(_whale);
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        // The second account gets as much and stakes it, after the snapshot.
        var second = await _world.OpenAsync(staked: 20_000);
        await GovernanceWorld.RefusedAsync("tokenomics.no_voting_power", () => _world.VoteAsync(id, second, VoteChoice.For));
        Assert.That((await _world.ReadAsync(id)).VotesFor, Is.EqualTo(20_000m));
    }

    [Test]
    public async Task Double_vote()
    {
        var id = await _world.OpenVoteAsync(_whale);
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        await _world.VoteAsync(id, _whale, VoteChoice.Against, "On second thoughts.");
        var read = await _world.ReadAsync(id);
        Assert.That((read.VotesFor, read.VotesAgainst, read.Ballots), Is.EqualTo((0m, 20_000m, 1)));
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.ballot_history"), Is.EqualTo(3), "changes are on record");
    }

    [Test]
    public async Task Double_vote_from_eight_connections_at_once()
    {
        var id = await _world.OpenVoteAsync(_whale);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => _world.VoteAsync(id, _whale, (VoteChoice)(i % 3)))));
        var read = await _world.ReadAsync(id);
        Assert.That(read.VotesFor + read.VotesAgainst + read.VotesAbstain, Is.EqualTo(20_000m));
    }

    [Test]
    public async Task Flash_stake()
    {
        // Stake, vote and unstake inside the window: staked after the snapshot it does not count, before it it cannot leave.
        var id = await _world.OpenVoteAsync(_whale);
        await _world.StakeAsync(_other, Credits.ToMicro(20_000));
        Assert.That(await _world.VoteAsync(id, _other, VoteChoice.For), Is.EqualTo(5_000m));
        await GovernanceWorld.RefusedAsync("test.stake_locked", () => _world.UnstakeAsync(_other, Credits.ToMicro(20_001)));
        await _world.UnstakeAsync(_other, Credits.ToMicro(20_000));
        var locked = await _world.LockOfAsync(_other);
        Assert.That(locked!.AmountMicro, Is.EqualTo(Credits.ToMicro(5_000)));
        Assert.That(locked.Until, Is.EqualTo((await _world.ReadAsync(id)).VotingEndsAt));
        _world.Time.Advance(TimeSpan.FromDays(7));
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("defeated"));
        Assert.That(await _world.LockOfAsync(_other), Is.Null, "the proposal has ended");
        await _world.UnstakeAsync(_other, Credits.ToMicro(5_000));
    }

    [Test]
    public async Task Unstake_at_the_very_moment_of_the_vote()
    {
        var id = await _world.OpenVoteAsync(_whale);
        Task<decimal> vote = null!;
        await _world.UnstakeAsync(_other, Credits.ToMicro(2_000), meanwhile: async () =>
        {
            vote = Task.Run(() => _world.VoteAsync(id, _other, VoteChoice.For));
            await Task.Delay(300);
            Assert.That(vote.IsCompleted, Is.False, "the ballot counts a stake that is on its way out");
        });
        Assert.That(await vote, Is.EqualTo(3_000m));
    }

    [Test]
    public async Task Replayed_execution()
    {
        var id = await _world.CarryAsync(_whale, CheaperCores, _whale);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _world.SendAsync(new AdvanceProposalsCommand()))));
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("executed"));
        Assert.That(await _world.ScalarAsync<long>($"SELECT count(*) FROM tokenomics.parameter_changes WHERE proposal = '{id}'"), Is.EqualTo(1));
        Assert.That(await _world.ParameterAsync(ParameterCatalogue.CoreHour), Is.EqualTo(80_000));
        await GovernanceWorld.RefusedAsync("tokenomics.parameter_unchanged", () => _world.ProposeAsync(_whale, CheaperCores));
        await _world.SetAsync(ParameterCatalogue.CoreHour, 100_000);
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_exists", () => _world.ProposeAsync(_whale, CheaperCores));
        Assert.That(() => _world.SqlAsync($"UPDATE tokenomics.proposals SET end_state = NULL, end_why = NULL, ended_at = NULL WHERE id = '{id}'"), Throws.Exception.With.Message.Contains("append-only"), "an end stays");
    }

    [Test]
    public async Task Votes_multiplied_by_delegating_around_a_transfer()
    {
        // Sushi: delegate, move the stake on, delegate again from there. Here both the stake and who votes with it are those of the snapshot, once per owner.
        var front = await _world.OpenAsync(staked: 0);
        await _world.DelegateAsync(_other, front);
        var id = await _world.OpenVoteAsync(_whale);
        await _world.UnstakeAsync(_other, Credits.ToMicro(1_000));
        var second = await _world.OpenAsync(staked: 1_000);
        await _world.DelegateAsync(second, front);
        await _world.DelegateAsync(_other, _whale);
        await _world.DelegateAsync(_other, null);
        Assert.That(await _world.VoteAsync(id, front, VoteChoice.For), Is.EqualTo(4_000m));
        Assert.That(await _world.VoteAsync(id, _whale, VoteChoice.For), Is.EqualTo(20_000m));
        await GovernanceWorld.RefusedAsync("tokenomics.no_voting_power", () => _world.VoteAsync(id, second, VoteChoice.For));
        Assert.That((await _world.ReadAsync(id)).VotesFor, Is.EqualTo(24_000m));
        await GovernanceWorld.RefusedAsync("test.stake_locked", () => _world.UnstakeAsync(_other, 1));
    }

    [Test]
    public async Task Delegations_are_one_step_deep_and_one_owner_cannot_be_in_two_ballots()
    {
        var middle = await _world.OpenAsync(staked: 1_000);
        var front = await _world.OpenAsync(staked: 100);
        await _world.DelegateAsync(_other, middle);
        await _world.DelegateAsync(middle, front);
        var id = await _world.OpenVoteAsync(_whale);
        Assert.That(await _world.VoteAsync(id, front, VoteChoice.For), Is.EqualTo(1_100m), "its own and the middle's, not what the middle was given");
        Assert.That(await _world.VoteAsync(id, middle, VoteChoice.Against), Is.EqualTo(6_000m), "its own back, and the other's");
        Assert.That(await _world.VoteAsync(id, _other, VoteChoice.Abstain), Is.EqualTo(5_000m));
        Assert.That(await _world.VoteAsync(id, front, VoteChoice.Against), Is.EqualTo(100m), "a change does not take back what voted itself");
        var read = await _world.ReadAsync(id);
        Assert.That((read.VotesFor, read.VotesAgainst, read.VotesAbstain), Is.EqualTo((0m, 1_100m, 5_000m)));
    }

    [Test]
    public async Task A_lowered_quorum_reviving_an_old_defeat()
    {
        await _world.SetAsync(ParameterCatalogue.Quorum, 1_000); // 100 000 credits
        var closed = await _world.OpenVoteAsync(_whale, CheaperCores);
        await _world.VoteAsync(closed, _whale, VoteChoice.For);
        _world.Time.Advance(TimeSpan.FromDays(7));
        // CVE-2022-31198: the quorum is lowered below what was voted, before anybody has looked at the result.
        await _world.SetAsync(ParameterCatalogue.Quorum, 100);
        Assert.That(await _world.StateAsync(closed), Is.EqualTo("defeated"));
        await _world.AdvanceAsync();
        await _world.SetAsync(ParameterCatalogue.Approval, 5_001);
        _world.Time.Advance(TimeSpan.FromDays(3));
        await _world.AdvanceAsync();
        var read = await _world.ReadAsync(closed);
        Assert.That((read.Status, read.Reason, read.Quorum), Is.EqualTo(("defeated", "quorum_missed", 100_000m)));
        Assert.That(await _world.ParameterAsync(ParameterCatalogue.CoreHour), Is.EqualTo(100_000));
    }

    [Test]
    public async Task Copying_and_cancelling_somebodys_proposal()
    {
        var original = await _world.ProposeAsync(_whale, CheaperCores);
        // GHSA-5h3x: the same words and actions from another account are another proposal; cancelling that one does nothing to the first.
        var copy = await _world.ProposeAsync(_other, CheaperCores);
        Assert.That(copy, Is.Not.EqualTo(original));
        await GovernanceWorld.RefusedAsync("tokenomics.cancel_refused", () => _world.SendAsync(new CancelProposalCommand { ProposalId = original, Reason = "I do not like this." }, _other));
        await _world.SendAsync(new CancelProposalCommand { ProposalId = copy, Reason = "It was only a copy." }, _other);
        Assert.That((await _world.StateAsync(original), await _world.StateAsync(copy)), Is.EqualTo(("pending", "cancelled")));
        // And a copy made first does not keep the author from proposing.
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_exists", () => _world.ProposeAsync(_whale, CheaperCores));
    }

    [Test]
    public async Task A_quorum_of_the_last_minute()
    {
        var id = await _world.OpenVoteAsync(_other, CheaperCores);
        _world.Time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        var read = await _world.ReadAsync(id);
        Assert.That(read.VotingEndsAt, Is.EqualTo(_world.Now.AddDays(2)));
        Assert.That(read.History[^1].Why, Does.Contain("late"));
        _world.Time.Advance(TimeSpan.FromSeconds(1));
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("active"), "there is time to answer");
        await _world.VoteAsync(id, _other, VoteChoice.Against);
        Assert.That((await _world.ReadAsync(id)).VotingEndsAt, Is.EqualTo(read.VotingEndsAt), "once");
    }

    [Test]
    public async Task A_payload_that_differs_from_what_was_shown([Values] bool withItsHash)
    {
        var id = await _world.CarryAsync(_whale, CheaperCores, _whale);
        var shown = await _world.ReadAsync(id);
        var other = shown.Payload.Replace("80000", "1", StringComparison.Ordinal);
        Assert.That(() => _world.SqlAsync($"UPDATE tokenomics.proposals SET payload = '{other}' WHERE id = '{id}'"), Throws.Exception.With.Message.Contains("append-only"));
        await _world.TamperAsync($"UPDATE tokenomics.proposals SET payload = '{other}'{(withItsHash ? ", actions_hash = '" + ProposalIdentity.ActionsHash(other) + "'" : "")} WHERE id = '{id}'");
        await _world.AdvanceAsync();
        Assert.That((await _world.ReadAsync(id)).Reason, Is.EqualTo("payload_changed"));
        Assert.That(await _world.ParameterAsync(ParameterCatalogue.CoreHour), Is.EqualTo(100_000));
    }

    [Test]
    public async Task A_parameter_out_of_bounds()
    {
        await GovernanceWorld.RefusedAsync("tokenomics.parameter_out_of_bounds", () => _world.ProposeAsync(_whale, CheaperCores with { Name = "governance.quorum_bp", Value = 99 }));
        await GovernanceWorld.RefusedAsync("tokenomics.parameter_out_of_bounds", () => _world.ProposeAsync(_whale, CheaperCores with { Name = "governance.delay_seconds", Value = 1 }));
        await GovernanceWorld.RefusedAsync("tokenomics.parameter_unknown", () => _world.ProposeAsync(_whale, CheaperCores with { Name = "supply.cap" }));
    }

    [Test]
    public async Task A_treasury_drained_beyond_five_percent()
    {
        // 150 000 credits: 7 500 may go.
        ProposalActionInput Grant(decimal amount) => new() { Type = ProposalActionType.TreasuryTransfer, To = AccountAddress.Of(_other), Amount = amount };
        await GovernanceWorld.RefusedAsync("tokenomics.treasury_limit", () => _world.ProposeAsync(_whale, Grant(7_500.000001m)));
        var first = await _world.ProposeAsync(_whale, Grant(7_500m), "A grant of all that may go");
        var second = await _world.ProposeAsync(_whale, Grant(7_499m), "Another grant of that size");
        _world.Time.Advance(TimeSpan.FromDays(1));
        await _world.AdvanceAsync();
        await _world.VoteAsync(first, _whale, VoteChoice.For);
        await _world.VoteAsync(second, _whale, VoteChoice.For);
        _world.Time.Advance(TimeSpan.FromDays(7));
        await _world.AdvanceAsync();
        _world.Time.Advance(TimeSpan.FromDays(2));
        await _world.AdvanceAsync();
        Assert.That((await _world.StateAsync(first), await _world.StateAsync(second)), Is.EqualTo(("executed", "execution_failed")));
        Assert.That((await _world.ReadAsync(second)).Reason, Is.EqualTo("treasury_limit"));
        Assert.That(await _world.ScalarAsync<long>("SELECT balance FROM tokenomics.accounts WHERE kind = 'Treasury'"), Is.EqualTo(Credits.ToMicro(142_500)));
        await GovernanceWorld.RefusedAsync("tokenomics.treasury_limit", () => _world.ProposeAsync(_whale, Grant(0.000001m)));
        _world.Time.Advance(TimeSpan.FromDays(30));
        await _world.ProposeAsync(_whale, Grant(7_125m), "A month later there is more");
    }

    [Test]
    public async Task Proposal_spam()
    {
        var poor = await _world.OpenAsync(staked: 999);
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_threshold", () => _world.ProposeAsync(poor));
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            try
            {
                return await _world.ProposeAsync(_whale, title: $"Spam of the number {i}");
            }
            catch (Domain.Common.FogException refusal) when (refusal.Error.Code == "tokenomics.too_many_proposals")
            {
                return null;
            }
        })));
        var open = answers.OfType<string>().ToList();
        Assert.That(open, Has.Count.EqualTo(3));
        await _world.SendAsync(new CancelProposalCommand { ProposalId = open[0], Reason = "To make room for another." }, _whale);
        await _world.ProposeAsync(_whale, title: "There is room for one again");
        await GovernanceWorld.RefusedAsync("tokenomics.too_many_proposals", () => _world.ProposeAsync(_whale, title: "And none for a further one"));
    }

    [Test]
    public async Task A_tie()
    {
        var twin = await _world.OpenAsync(staked: 20_000);
        var id = await _world.OpenVoteAsync(_whale, CheaperCores);
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        await _world.VoteAsync(id, twin, VoteChoice.Against);
        _world.Time.Advance(TimeSpan.FromDays(7));
        await _world.AdvanceAsync();
        Assert.That((await _world.ReadAsync(id)).Reason, Is.EqualTo("not_approved"));
    }

    [Test]
    public async Task A_quorum_of_nothing()
    {
        await _world.SetAsync(ParameterCatalogue.Quorum, 0);
        var id = await _world.OpenVoteAsync(_whale, CheaperCores);
        await _world.VoteAsync(id, _whale, VoteChoice.Abstain);
        _world.Time.Advance(TimeSpan.FromDays(7));
        await _world.AdvanceAsync();
        Assert.That((await _world.ReadAsync(id)).Reason, Is.EqualTo("quorum_missed"), "nobody was for it");
    }

    [Test]
    public async Task The_clock_at_the_exact_boundaries()
    {
        var microsecond = TimeSpan.FromMicroseconds(1);
        var id = await _world.ProposeAsync(_whale, CheaperCores);
        _world.Time.Advance(TimeSpan.FromDays(1) - microsecond);
        await _world.AdvanceAsync();
        await GovernanceWorld.RefusedAsync("tokenomics.voting_closed", () => _world.VoteAsync(id, _whale, VoteChoice.For));
        // What is staked in the last microsecond of the delay counts.
        await _world.StakeAsync(_whale, Credits.ToMicro(1));
        _world.Time.Advance(microsecond);
        await GovernanceWorld.RefusedAsync("tokenomics.voting_closed", () => _world.VoteAsync(id, _whale, VoteChoice.For));
        await _world.AdvanceAsync();
        await _world.StakeAsync(_whale, Credits.ToMicro(1));
        Assert.That(await _world.VoteAsync(id, _whale, VoteChoice.For), Is.EqualTo(20_001m));
        _world.Time.Advance(TimeSpan.FromDays(7) - microsecond);
        await _world.VoteAsync(id, _whale, VoteChoice.For);
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("active"));
        _world.Time.Advance(microsecond);
        await GovernanceWorld.RefusedAsync("tokenomics.voting_closed", () => _world.VoteAsync(id, _whale, VoteChoice.Against));
        await _world.AdvanceAsync();
        _world.Time.Advance(TimeSpan.FromDays(2) - microsecond);
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("queued"));
        _world.Time.Advance(microsecond);
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("executed"));
    }

    [Test]
    public async Task Nobody_votes_or_proposes_for_another_account_operators_neither()
    {
        var id = await _world.OpenVoteAsync(_whale);
        var vote = new VoteCommand { ProposalId = id, Voter = AccountAddress.Of(_whale), Vote = System.Text.Json.JsonSerializer.SerializeToElement(true) };
        await GovernanceWorld.RefusedAsync("identity.not_yours", () => _world.SendAsync(vote, _other, Permissions.Govern, Permissions.Operate));
        await GovernanceWorld.RefusedAsync("identity.not_yours", () => _world.SendAsync(new DelegateCommand { Address = AccountAddress.Of(_whale) }, _other, Permissions.Govern, Permissions.Operate));
    }
}
