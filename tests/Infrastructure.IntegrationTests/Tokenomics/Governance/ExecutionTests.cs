using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics.Governance;

/// <summary>What happens after a vote: the timelock, the payload, its failures, and who may stop it.</summary>
public sealed class ExecutionTests
{
    /// <summary>Writes, then says no as often as it is told to: nothing of what it wrote may stay.</summary>
    private sealed class Court(FogDbContext db, Court.Temper temper) : ISlashCourt
    {
        public sealed class Temper
        {
            public Queue<Exception> Failures { get; } = [];
            public List<string> Decisions { get; } = [];
        }

        public async Task DecideAsync(Guid slash, bool uphold, string by, string reason, CancellationToken cancel)
        {
            await db.ExecuteSqlAsync("INSERT INTO platform.idempotency_keys (account_id, command, key, fingerprint, created_at) VALUES ($1, 'court', $1::text, '\\x00', now())", cancel, slash);
            if (temper.Failures.TryDequeue(out var failure))
                throw failure;
            temper.Decisions.Add($"{slash} {uphold} {by}");
        }
    }

    private sealed class Accrual(FogDbContext db) : IStakeAccrual
    {
        public static readonly List<long> YieldsSeen = [];

        public async Task AccrueAllAsync(DateTimeOffset at, CancellationToken cancel) =>
            YieldsSeen.Add(await db.ScalarSqlAsync<long>("SELECT coalesce((SELECT value FROM tokenomics.parameter_changes WHERE name = 'staking.yield_bp' ORDER BY version DESC LIMIT 1), 500)", cancel));
    }

    private readonly Court.Temper _temper = new();
    private GovernanceWorld _world = null!;
    private AccountId _whale;

    [SetUp]
    public async Task SetUp()
    {
        _temper.Failures.Clear();
        _temper.Decisions.Clear();
        Accrual.YieldsSeen.Clear();
        _world = await GovernanceWorld.CreateAsync(s => s.AddSingleton(_temper).AddScoped<ISlashCourt, Court>().AddScoped<IStakeAccrual, Accrual>());
        _whale = await _world.OpenAsync(staked: 20_000);
    }

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static ProposalActionInput Decide(Guid slash) => new() { Type = ProposalActionType.DecideSlash, SlashId = slash, Uphold = false };

    [Test]
    public async Task A_resolution_goes_through_every_state_and_changes_nothing()
    {
        var id = await _world.CarryAsync(_whale, null, _whale);
        await _world.AdvanceAsync();
        var read = await _world.ReadAsync(id);
        Assert.That((read.Status, read.Payload, read.Action, read.Reason), Is.EqualTo(("executed", "[]", (ProposalActionDto?)null, (string?)null)));
        Assert.That(read.History.Select(h => h.State), Is.EqualTo(new[] { "pending", "active", "succeeded", "queued", "executed" }));
        Assert.That(read.History.Select(h => h.At), Is.Ordered);
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.parameter_changes WHERE proposal IS NOT NULL"), Is.Zero);
    }

    [Test]
    public async Task A_grant_is_one_transfer_that_names_its_proposal()
    {
        var poor = await _world.OpenAsync(staked: 0);
        var id = await _world.CarryAsync(_whale, new ProposalActionInput { Type = ProposalActionType.TreasuryTransfer, To = AccountAddress.Of(poor), Amount = 1_000.5m }, _whale);
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("executed"));
        Assert.That(await _world.ScalarAsync<long>(
            $"SELECT p.amount FROM tokenomics.transfers t JOIN tokenomics.postings p ON p.transfer = t.number WHERE t.idempotency_key = 'proposal:{id}' AND t.cause ->> 'proposal' = '{id}' AND p.amount > 0"), Is.EqualTo(1_000_500_000));
    }

    [Test]
    public async Task A_new_yield_begins_after_the_old_one_was_paid()
    {
        await _world.CarryAsync(_whale, new ProposalActionInput { Type = ProposalActionType.SetParameter, Name = "staking.yield_bp", Value = 300 }, _whale);
        await _world.AdvanceAsync();
        Assert.That(Accrual.YieldsSeen, Is.EqualTo(new[] { 500L }));
        Assert.That(await _world.ParameterAsync(ParameterCatalogue.StakeYield), Is.EqualTo(300));
    }

    [Test]
    public async Task An_action_that_cannot_run_any_more_fails_with_its_reason()
    {
        var input = new ProposalActionInput { Type = ProposalActionType.SetParameter, Name = "pricing.core_hour_micro", Value = 80_000 };
        var id = await _world.CarryAsync(_whale, input, _whale);
        await _world.SetAsync(ParameterCatalogue.CoreHour, 80_000);
        await _world.AdvanceAsync();
        var read = await _world.ReadAsync(id);
        Assert.That((read.Status, read.Reason), Is.EqualTo(("execution_failed", "parameter_unchanged")));
        Assert.That(read.Why, Does.Contain("80000"));
    }

    [Test]
    public async Task A_slash_is_decided_in_the_name_of_the_proposal()
    {
        var slash = Guid.NewGuid();
        var id = await _world.CarryAsync(_whale, Decide(slash), _whale);
        await _world.AdvanceAsync();
        Assert.That(_temper.Decisions, Is.EqualTo(new[] { $"{slash} False proposal:{id}" }));
        Assert.That(await _world.StateAsync(id), Is.EqualTo("executed"));
    }

    [Test]
    public async Task A_refusal_in_the_middle_leaves_nothing_of_the_action()
    {
        _temper.Failures.Enqueue(new FogException(new FogError("tokenomics.slash_decided", ErrorKind.Conflict, "The slash is decided already.")));
        var id = await _world.CarryAsync(_whale, Decide(Guid.NewGuid()), _whale);
        await _world.AdvanceAsync();
        Assert.That((await _world.ReadAsync(id)).Reason, Is.EqualTo("slash_decided"));
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM platform.idempotency_keys"), Is.Zero);
    }

    [Test]
    public async Task A_defect_decides_nothing_stops_nobody_else_and_is_tried_again()
    {
        _temper.Failures.Enqueue(new InvalidOperationException("a defect"));
        var id = await _world.CarryAsync(_whale, Decide(Guid.NewGuid()), _whale);
        await _world.AdvanceAsync();
        Assert.That(await _world.StateAsync(id), Is.EqualTo("queued"));
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM platform.idempotency_keys"), Is.Zero);
        var other = await _world.OpenVoteAsync(_whale, title: "Something else meanwhile");
        Assert.That((await _world.StateAsync(id), await _world.StateAsync(other)), Is.EqualTo(("executed", "active")));
    }

    [Test]
    public async Task A_pool_that_was_down_over_the_grace_lets_it_expire()
    {
        var id = await _world.CarryAsync(_whale, null, _whale);
        _world.Time.Advance(TimeSpan.FromDays(14));
        Assert.That(await _world.StateAsync(id), Is.EqualTo("expired"));
        await _world.AdvanceAsync();
        Assert.That((await _world.ReadAsync(id)).Reason, Is.EqualTo("grace_over"));
    }

    [Test]
    public async Task A_guardian_only_cancels_and_only_before_the_execution()
    {
        var guardian = await _world.OpenAsync(staked: 0);
        string[] may = [Permissions.LedgerRead, Permissions.Guard];
        var id = await _world.CarryAsync(_whale, null, _whale);
        var cancel = new CancelProposalCommand { ProposalId = id, Reason = "It would break the pool's books." };
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_state", () => _world.SendAsync(cancel, _whale));
        await _world.SendAsync(cancel, guardian, may);
        await _world.AdvanceAsync();
        var read = await _world.ReadAsync(id);
        Assert.That((read.Status, read.Reason, read.Why), Is.EqualTo(("cancelled", "cancelled_by_guardian", cancel.Reason)));
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_over", () => _world.SendAsync(cancel, guardian, may));
        await GovernanceWorld.RefusedAsync("identity.forbidden", () => _world.SendAsync(new DelegateCommand(), guardian, may));
        var executed = await _world.CarryAsync(_whale, Decide(Guid.NewGuid()), _whale);
        await _world.AdvanceAsync();
        await GovernanceWorld.RefusedAsync("tokenomics.proposal_over", () => _world.SendAsync(cancel with { ProposalId = executed }, guardian, may));
    }

    [Test]
    public async Task Cancelling_at_the_moment_of_the_execution_does_one_of_the_two()
    {
        var id = await _world.CarryAsync(_whale, new ProposalActionInput { Type = ProposalActionType.SetParameter, Name = "pricing.core_hour_micro", Value = 80_000 }, _whale);
        var cancel = Task.Run(() => _world.SendAsync(new CancelProposalCommand { ProposalId = id, Reason = "Stop this one at once." }, _whale, Permissions.LedgerRead, Permissions.Guard));
        var execute = Task.Run(() => _world.AdvanceAsync());
        await Task.WhenAll(cancel.ContinueWith(_ => { }, TaskScheduler.Default), execute);
        await _world.AdvanceAsync();
        Assert.That((await _world.StateAsync(id), await _world.ParameterAsync(ParameterCatalogue.CoreHour)), Is.EqualTo(("executed", 80_000L)).Or.EqualTo(("cancelled", 100_000L)));
    }

    [Test]
    public async Task The_real_court_ends_a_proposal_about_a_slash_that_is_not_there()
    {
        await using var world = await GovernanceWorld.CreateAsync();
        var whale = await world.OpenAsync(staked: 20_000);
        var id = await world.CarryAsync(whale, Decide(Guid.NewGuid()), whale);
        await world.AdvanceAsync();
        Assert.That(await world.StateAsync(id), Is.EqualTo("execution_failed"));
        Assert.That(await world.ScalarAsync<string>($"SELECT end_reason FROM tokenomics.proposals WHERE id = '{id}'"), Is.EqualTo("slash_not_found"));
    }

    [Test]
    public async Task Tells_what_parameter_a_proposal_would_set()
    {
        var id = await _world.ProposeAsync(_whale, new ProposalActionInput { Type = ProposalActionType.SetParameter, Name = "pricing.core_hour_micro", Value = 80_000 });
        var text = await _world.ProposeAsync(_whale);
        async Task<ProposedParameter?> Of(string proposal) => await _world.InTransactionAsync(s => s.GetRequiredService<IProposedParameters>().OfAsync(proposal, CancellationToken.None));
        Assert.That(await Of(id), Is.EqualTo(new ProposedParameter("pricing.core_hour_micro", 80_000, null)));
        Assert.That(await Of(text), Is.Null);
        Assert.That(await Of(new string('0', 64)), Is.Null);
    }

    /// <summary>Lists filter by a state that SQL computes; it must be the domain's.</summary>
    [Test]
    public async Task Lists_by_the_state_that_the_domain_computes()
    {
        var random = new Random(5);
        var start = _world.Now;
        await _world.InTransactionAsync(async services =>
        {
            var proposals = services.GetRequiredService<IProposals>();
            for (var i = 0; i < 300; i++)
            {
                var p = Proposal.Create(_whale, $"Proposal {i}", "Facts by chance.", null, new ProposalTerms(TimeSpan.FromHours(random.Next(1, 6)), TimeSpan.FromHours(random.Next(1, 6)), random.Next(0, 300), random.Next(5_001, 9_000),
                    TimeSpan.Zero, TimeSpan.FromHours(random.Next(1, 6)), TimeSpan.FromHours(random.Next(1, 6))), start.AddHours(-random.Next(0, 10)));
                await proposals.AddAsync(p, CancellationToken.None);
                if (random.Next(5) > 0)
                    p = p with { Snapshot = new ProposalSnapshot(1, random.Next(1, 2_000), 0), Votes = new Tally(random.Next(0, 4), random.Next(0, 3), random.Next(0, 3)) } is var s && s.Votes is var v && v.For + v.Against + v.Abstain <= s.Snapshot!.SupplyMicro ? s : p;
                if (p.Snapshot is not null && p.StateAt(p.VotingEndsAt) == ProposalState.Succeeded && random.Next(4) > 0)
                    p = p.Queue(p.VotingEndsAt);
                if (random.Next(6) == 0)
                    p = p with { End = new ProposalEnd((ProposalState)new[] { 2, 5, 6, 7, 8 }[random.Next(5)], null, "By chance.", start) };
                await proposals.SaveAsync(p, null, CancellationToken.None);
            }
            return 0;
        });
        var all = (await _world.SendAsync(new ListProposalsQuery { Limit = 1000 }, _whale)).Proposals;
        Assert.That(all.Select(p => p.Status).Distinct().Count(), Is.EqualTo(9), "every state must occur");
        foreach (var group in all.GroupBy(p => p.Status))
        {
            var listed = await _world.SendAsync(new ListProposalsQuery { Status = group.Key, Limit = 1000 }, _whale);
            Assert.That(listed.Proposals.Select(p => p.Id), Is.EqualTo(group.Select(p => p.Id)), group.Key);
            Assert.That(listed.Total, Is.EqualTo(group.Count()));
        }
        var paged = new List<string>();
        for (long? cursor = null; ;)
        {
            var page = await _world.SendAsync(new ListProposalsQuery { Limit = 70, Cursor = cursor }, _whale);
            paged.AddRange(page.Proposals.Select(p => p.Id));
            if (page.Next is null)
                break;
            cursor = page.Next;
        }
        Assert.That(paged, Is.EqualTo(all.Select(p => p.Id)));
    }
}
