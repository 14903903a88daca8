using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics.Governance;

/// <summary>Whatever is staked, unstaked, delegated and voted in whatever order from eight connections, while snapshots are taken: no stake counts twice or leaves.</summary>
public sealed class ParallelVotingTests
{
    private static readonly string[] Refusals = ["tokenomics.voting_closed", "tokenomics.no_voting_power", "tokenomics.insufficient_funds", "test.stake_locked", "tokenomics.too_many_proposals"];

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task Random_parallel_histories_count_each_stake_once(int seed)
    {
        const int connections = 8;
        const int steps = 60;
        await using var world = await GovernanceWorld.CreateAsync();
        await world.SetAsync(ParameterCatalogue.ProposalThreshold, 0);
        await world.SetAsync(ParameterCatalogue.OpenProposals, 100);
        var owners = new List<AccountId>();
        for (var i = 0; i < 8; i++)
            owners.Add(await world.OpenAsync(staked: 1_000 * (i + 1)));
        var ids = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            ids.Add(await world.ProposeAsync(owners[i], title: $"Proposal of number {i}"));
            world.Time.Advance(TimeSpan.FromHours(1));
        }
        // The last three never vote themselves; the others do, and take their stakes out of each other's ballots.
        const int voters = 5;
        for (var i = 1; i < owners.Count; i++)
            await world.DelegateAsync(owners[i], owners[(i + seed) % voters]);
        // Three can be voted on from the start, the others become due while the rest goes on.
        world.Time.Advance(TimeSpan.FromHours(20));
        await world.AdvanceAsync();
        var votes = 0;

        async Task RunAsync(int worker)
        {
            var random = new Random((seed * 1000) + worker);
            for (var step = 0; step < steps; step++)
            {
                var owner = owners[random.Next(owners.Count)];
                try
                {
                    switch (random.Next(20))
                    {
                        case < 4:
                            await world.StakeAsync(owner, random.NextInt64(1, Credits.ToMicro(300)));
                            break;
                        case < 7:
                            await world.UnstakeAsync(owner, random.NextInt64(1, Credits.ToMicro(300)));
                            break;
                        case < 10:
                            await world.DelegateAsync(owner, random.Next(3) == 0 ? null : owners[random.Next(voters)]);
                            break;
                        case < 18:
                            await world.VoteAsync(ids[random.Next(ids.Count)], owners[random.Next(voters)], (VoteChoice)random.Next(3));
                            Interlocked.Increment(ref votes);
                            break;
                        default:
                            if (worker == 0)
                                world.Time.Advance(TimeSpan.FromHours(1));
                            await world.SendAsync(new AdvanceProposalsCommand());
                            break;
                    }
                }
                catch (FogException refusal) when (Refusals.Contains(refusal.Error.Code))
                {
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, connections).Select(worker => Task.Run(() => RunAsync(worker))));
        world.Time.Advance(TimeSpan.FromDays(1));
        await world.AdvanceAsync();
        foreach (var (id, index) in ids.Select((id, i) => (id, i)))
            await world.VoteAsync(id, owners[index % voters], VoteChoice.Abstain);
        TestContext.Out.WriteLine($"{votes} ballots; powers: {await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.ballot_powers")}, through delegates: {await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.ballot_powers WHERE owner <> through")}");
        Assert.That(votes, Is.GreaterThan(50), "the history must be worth checking");
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.ballot_powers WHERE owner <> through"), Is.GreaterThan(3), "delegates must have voted");
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.proposals WHERE snapshot_transfer IS NOT NULL"), Is.EqualTo(6));

        // Each owner's stake at the snapshot, from the journal; a power is that, or less where a part has been unstaked since.
        const string powers =
            """
            SELECT p.proposal, p.owner, p.amount, a.balance,
                (SELECT coalesce(sum(q.amount), 0) FROM tokenomics.postings q WHERE q.account_id = a.id AND q.transfer <= r.snapshot_transfer) AS at_snapshot,
                EXISTS (SELECT FROM tokenomics.postings q WHERE q.account_id = a.id AND q.transfer > r.snapshot_transfer AND q.amount < 0) AS unstaked
            FROM tokenomics.ballot_powers p JOIN tokenomics.proposals r ON r.id = p.proposal JOIN tokenomics.accounts a ON a.owner = p.owner AND a.kind = 'Staked'
            """;
        Assert.That(await world.ScalarAsync<long>($"SELECT count(*) FROM ({powers}) x WHERE amount > at_snapshot OR (amount < at_snapshot AND NOT unstaked)"), Is.Zero, "a power that is not the stake at the snapshot");
        Assert.That(await world.ScalarAsync<long>($"SELECT count(*) FROM ({powers}) x JOIN tokenomics.proposals r ON r.id = x.proposal WHERE r.end_state IS NULL AND x.balance < x.amount"), Is.Zero, "a stake that voted left");
        Assert.That(await world.ScalarAsync<long>(
            """
            SELECT count(*) FROM tokenomics.proposals r CROSS JOIN LATERAL (
                SELECT coalesce(sum(p.amount) FILTER (WHERE b.choice = 'For'), 0) AS f, coalesce(sum(p.amount) FILTER (WHERE b.choice = 'Against'), 0) AS a,
                       coalesce(sum(p.amount) FILTER (WHERE b.choice = 'Abstain'), 0) AS n
                FROM tokenomics.ballot_powers p JOIN tokenomics.ballots b ON b.proposal = p.proposal AND b.voter = p.through WHERE p.proposal = r.id) s
            WHERE (s.f, s.a, s.n) IS DISTINCT FROM (r.votes_for, r.votes_against, r.votes_abstain) OR s.f + s.a + s.n > r.snapshot_supply
            """), Is.Zero, "totals that are not the sum of the powers, or above the supply");
        // Through whom: the owner's delegate at the snapshot, or the owner.
        Assert.That(await world.ScalarAsync<long>(
            """
            SELECT count(*) FROM tokenomics.ballot_powers p JOIN tokenomics.proposals r ON r.id = p.proposal WHERE p.through <> p.owner AND
                (p.through IS DISTINCT FROM (SELECT delegate FROM tokenomics.delegations d WHERE d.owner = p.owner AND d.number <= r.snapshot_delegation ORDER BY number DESC LIMIT 1)
                 OR EXISTS (SELECT FROM tokenomics.ballots b WHERE b.proposal = p.proposal AND b.voter = p.owner))
            """), Is.Zero, "a stake in somebody else's ballot");
    }

    /// <summary>A stake that is on its way while a snapshot is taken is in it wholly or not at all, and so is a delegation.</summary>
    [Test]
    public async Task A_snapshot_waits_for_stakes_and_delegations_on_their_way()
    {
        await using var world = await GovernanceWorld.CreateAsync();
        var owner = await world.OpenAsync(staked: 5_000);
        var front = await world.OpenAsync(staked: 0);
        var id = await world.ProposeAsync(owner);
        world.Time.Advance(TimeSpan.FromDays(1));
        Task snapshot = null!;
        await world.InTransactionAsync(async services =>
        {
            var ledger = (Application.Tokenomics.ILedger)services.GetService(typeof(Application.Tokenomics.ILedger))!;
            var log = (IDelegations)services.GetService(typeof(IDelegations))!;
            await ledger.PostAsync([Transfer.Create(TransferKind.Stake, "on its way", [new(LedgerAccount.Available(owner), -1_000_000), new(LedgerAccount.Staked(owner), 1_000_000)], world.Now)], [], CancellationToken.None);
            await log.AppendAsync(owner, front, world.Now, CancellationToken.None);
            snapshot = Task.Run(() => world.AdvanceAsync());
            await Task.Delay(200);
            Assert.That(snapshot.IsCompleted, Is.False, "the number below the snapshot is not committed yet");
            return 0;
        });
        await snapshot;
        Assert.That(await world.VoteAsync(id, front, VoteChoice.For), Is.EqualTo(5_001m));
    }
}
