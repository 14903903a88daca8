using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

public sealed class StakingTests
{
    private const decimal Micro = 0.000001m;

    private LedgerWorld _world = null!;
    private ManualTimeProvider _time = null!;
    private AccountId _owner;
    private AccountId _requester;

    [SetUp]
    public async Task SetUp()
    {
        _world = await LedgerWorld.CreateAsync(_time = new ManualTimeProvider());
        (_owner, _requester) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
    }

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static FogException Refusal(Func<Task> act) => Assert.ThrowsAsync<FogException>(act)!;

    private Task<StakeResult> StakeAsync(decimal amount) => _world.SendAsync(new StakeCommand { Amount = amount }, _owner);

    private Task<UnstakeResult> UnstakeAsync(decimal amount) => _world.SendAsync(new UnstakeCommand { Amount = amount }, _owner);

    private Task<ClaimResult> ClaimAsync() => _world.SendAsync(new ClaimUnbondedCommand(), _owner);

    private Task<RewardsDto> RewardsAsync(AccountId? owner = null) => _world.SendAsync(new GetRewardsQuery(), owner ?? _owner);

    private async Task<SlashDto> OnlySlashAsync() => (await _world.SendAsync(new ListSlashesQuery(), _owner)).Slashes.Single();

    private Task<int> SetAsync(ParameterDefinition parameter, long value, bool accrue = false) => SetAsync(_world, parameter, value, accrue);

    private static Task<int> SetAsync(LedgerWorld world, ParameterDefinition parameter, long value, bool accrue = false) => world.InTransactionAsync(async services =>
    {
        if (accrue)
            await services.GetRequiredService<IStakeAccrual>().AccrueAllAsync(world.Now, CancellationToken.None);
        await services.GetRequiredService<IParameterBook>().SetAsync(parameter, value, null, world.Now, CancellationToken.None);
        return 0;
    });

    private BlamedAttempt Blame(AccountId? owner = null, AccountId? requester = null, Guid? attempt = null) =>
        new(new AttemptId(attempt ?? Guid.CreateVersion7(_world.Now)), new JobId(Guid.CreateVersion7(_world.Now)), 0, "liar", owner ?? _owner, requester ?? _requester, null);

    private Task OutvoteAsync(params BlamedAttempt[] attempts) => _world.HappenAsync(new ResultsOutvoted(attempts, _world.Now));

    private async Task RequireSoundAsync()
    {
        await _world.SealAllAsync();
        var audit = await _world.SendAsync(new AuditLedgerQuery());
        Assert.That(audit.Differences, Is.Empty);
        Assert.That(audit.Supply, Is.EqualTo(1_000_000m));
    }

    [Test]
    public async Task Credits_go_round_by_the_clocks_that_were_in_force_when_each_started()
    {
        var staked = await StakeAsync(10);
        Assert.That(staked, Has.Property("TotalStaked").EqualTo(10m).And.Property("LockedUntil").EqualTo(_world.Now.AddDays(7)));
        await SetAsync(ParameterCatalogue.StakeLock, 365 * 86_400);
        _time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromMilliseconds(1));
        Assert.That(Refusal(() => UnstakeAsync(4)).Error.Code, Is.EqualTo("tokenomics.stake_locked"));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        var unstaked = await UnstakeAsync(4);
        Assert.That(unstaked, Has.Property("TotalStaked").EqualTo(6m).And.Property("AvailableAt").EqualTo(_world.Now.AddDays(14)));
        await SetAsync(ParameterCatalogue.Unbonding, 365 * 86_400);
        _time.Advance(TimeSpan.FromDays(14) - TimeSpan.FromMilliseconds(1));
        Assert.That(Refusal(ClaimAsync).Message, Does.Contain("4.000000"));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        var stakes = await _world.SendAsync(new GetStakesQuery(), _owner);
        Assert.That(stakes.Unbonding.Single(), Has.Property("Claimable").True.And.Property("Amount").EqualTo(4m));
        Assert.That(await ClaimAsync(), Has.Property("ClaimedAmount").EqualTo(4m).And.Property("Balance").EqualTo(94m));
        Assert.That(Refusal(ClaimAsync).Error.Code, Is.EqualTo("tokenomics.nothing_to_claim"));
        Assert.That(await _world.BalanceAsync(_owner), Has.Property("Staked").EqualTo(6m).And.Property("Unbonding").Zero.And.Property("Total").EqualTo(100m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task More_than_is_available_or_less_than_the_least_is_refused_and_leaves_nothing()
    {
        Assert.That(Refusal(() => StakeAsync(100 + Micro)).Error.Code, Is.EqualTo("tokenomics.insufficient_funds"));
        var small = Refusal(() => StakeAsync(1 - Micro));
        Assert.That(small.Error, Has.Property("Code").EqualTo("tokenomics.stake_too_small").And.Property("Kind").EqualTo(ErrorKind.Invalid));
        Assert.That(small.Message, Does.Contain("1.000000"));
        Assert.That(await _world.ScalarAsync<long>("SELECT (SELECT count(*) FROM tokenomics.stakes) + (SELECT count(*) FROM tokenomics.stake_accruals)"), Is.Zero);
        await StakeAsync(100);
        await RequireSoundAsync();
    }

    [Test]
    public async Task Nobody_moves_the_credits_of_another_not_even_an_operator()
    {
        var address = LedgerWorld.AddressOf(_owner);
        foreach (var act in new Func<Task>[]
        {
            () => _world.SendAsync(new StakeCommand { Amount = 5, Address = address }, _requester), () => _world.SendAsync(new UnstakeCommand { Amount = 5, Address = address }, _requester),
            () => _world.SendAsync(new ClaimUnbondedCommand { Address = address }, _requester), () => _world.SendAsync(new StakeCommand { Amount = 5, Address = address }),
        })
            Assert.That(Refusal(act).Error, Is.EqualTo(IdentityErrors.NotYours));
        await StakeAsync(5);
        Assert.That(await _world.SendAsync(new GetStakesQuery { Address = address }), Has.Property("Staked").EqualTo(5m), "an operator may look");
    }

    private sealed class Vote(long micro, DateTimeOffset until) : IStakeLock
    {
        public Task<StakeLocked?> OfAsync(AccountId owner, CancellationToken cancel) => Task.FromResult<StakeLocked?>(new StakeLocked(micro, until, "It voted."));
    }

    [Test]
    public async Task A_registered_lock_keeps_its_amount_staked_and_shows()
    {
        await using var world = await LedgerWorld.CreateAsync(_time, services => services
            .AddScoped<IStakeLock>(_ => new Vote(3_000_000, _time.GetUtcNow().AddDays(1))).AddScoped<IStakeLock>(_ => new Vote(8_000_000, _time.GetUtcNow().AddDays(2))));
        var owner = await world.OpenAccountAsync();
        await SetAsync(world, ParameterCatalogue.StakeLock, 0);
        await world.SendAsync(new StakeCommand { Amount = 10 }, owner);
        var refusal = Refusal(() => world.SendAsync(new UnstakeCommand { Amount = 3 }, owner));
        Assert.That(refusal.Message, Does.Contain("10.000000").And.Contain("2.000000").And.Contain("3.000000").And.Contain("2030-01-03T12:00:00Z").And.Contain("It voted."));
        var stakes = await world.SendAsync(new GetStakesQuery(), owner);
        Assert.That(stakes, Has.Property("Unlocked").EqualTo(2m).And.Property("VoteLock").EqualTo(new StakeLockDto(8, _time.GetUtcNow().AddDays(2), "It voted.")));
        await world.SendAsync(new UnstakeCommand { Amount = 2 }, owner);
    }

    [Test]
    public async Task A_day_is_paid_once_in_whole_micro_credits_and_the_rest_is_carried()
    {
        await StakeAsync(100);
        _time.Advance(TimeSpan.FromDays(1));
        // 100 × 5 % / 365 = 0.01369863013…
        Assert.That(await RewardsAsync(), Has.Property("PendingRewards").EqualTo(0.013698m).And.Property("RewardsRate").EqualTo(0.05m).And.Property("PaidRewards").Zero);
        Assert.That((await _world.SendAsync(new PayStakingRewardsCommand())).Owners, Is.EqualTo(1));
        Assert.That((await _world.SendAsync(new PayStakingRewardsCommand())).Owners, Is.Zero, "the same day");
        Assert.That(await RewardsAsync(), Has.Property("PendingRewards").Zero.And.Property("PaidRewards").EqualTo(0.013698m).And.Property("PoolBalance").EqualTo(600_000m - 0.013698m));
        for (var day = 2; day <= 365; day++)
        {
            _time.Advance(TimeSpan.FromDays(1));
            await _world.SendAsync(new PayStakingRewardsCommand());
        }
        Assert.That(await RewardsAsync(), Has.Property("PaidRewards").EqualTo(5m), "nothing was lost by rounding on 365 days");
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.transfers WHERE idempotency_key LIKE 'reward:%'"), Is.EqualTo(365));
        Assert.That((await _world.SendAsync(new ListLedgerEntriesQuery { Limit = 1 }, _owner)).Entries.Single(), Has.Property("Kind").EqualTo("staking_reward").And.Property("Counterpart").EqualTo("rewards_pool"));
        await RequireSoundAsync();
    }

    [Test]
    public async Task Two_processes_at_once_pay_the_day_once()
    {
        await StakeAsync(100);
        _time.Advance(TimeSpan.FromDays(1));
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => _world.SendAsync(new PayStakingRewardsCommand()))));
        Assert.That((await RewardsAsync()).PaidRewards, Is.EqualTo(0.013698m));
        await RequireSoundAsync();
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_is_earned_follows_stake_and_yield_to_the_second(bool accrueAtTheChange)
    {
        await SetAsync(ParameterCatalogue.StakeLock, 0);
        await StakeAsync(50);
        _time.Advance(TimeSpan.FromDays(100));
        await StakeAsync(50);
        _time.Advance(TimeSpan.FromDays(20));
        await SetAsync(ParameterCatalogue.StakeYield, 1_000, accrueAtTheChange);
        _time.Advance(TimeSpan.FromDays(30));
        await UnstakeAsync(75);
        _time.Advance(TimeSpan.FromDays(60));
        // Unbonding earns nothing.
        var days = (50m * 100 * 0.05m) + (100m * 20 * 0.05m) + (100m * 30 * 0.10m) + (25m * 60 * 0.10m);
        Assert.That((await RewardsAsync()).PendingRewards, Is.EqualTo(Math.Floor(days / 365 / Micro) * Micro));
        await _world.SendAsync(new PayStakingRewardsCommand());
        Assert.That((await RewardsAsync()).PaidRewards, Is.EqualTo(Math.Floor(days / 365 / Micro) * Micro));
        await RequireSoundAsync();
    }

    [Test]
    public async Task An_emptied_pool_pays_what_it_has_in_proportion_and_then_stops()
    {
        await StakeAsync(75);
        await _world.SendAsync(new StakeCommand { Amount = 25 }, _requester);
        _time.Advance(TimeSpan.FromDays(1));
        await _world.TamperAsync("UPDATE tokenomics.accounts SET balance = 101 WHERE kind = 'RewardsPool'");
        await _world.SendAsync(new PayStakingRewardsCommand());
        var (mine, theirs) = (await RewardsAsync(), await RewardsAsync(_requester));
        Assert.That(mine.PaidRewards + theirs.PaidRewards, Is.EqualTo(101 * Micro));
        Assert.That(mine.PaidRewards, Is.EqualTo(76 * Micro).Within(Micro));
        Assert.That(mine, Has.Property("PoolBalance").Zero.And.Property("RewardsRate").Zero);
        Assert.That(mine.PendingRewards, Is.Positive, "what was earned before stays on record");
        _time.Advance(TimeSpan.FromDays(30));
        Assert.That((await _world.SendAsync(new PayStakingRewardsCommand())).Owners, Is.Zero);
        Assert.That((await RewardsAsync()).PendingRewards, Is.EqualTo(mine.PendingRewards));
    }

    [Test]
    public async Task A_wrong_result_is_escrowed_once_and_executed_when_nobody_appeals()
    {
        await SetAsync(ParameterCatalogue.StakeLock, 0);
        await StakeAsync(10);
        await UnstakeAsync(9.5m);
        var blamed = Blame();
        await OutvoteAsync(blamed, Blame(owner: _requester));
        await OutvoteAsync(blamed);
        // A tenth of staked + unbonding is more than is staked.
        Assert.That(await _world.BalanceAsync(_owner), Has.Property("Staked").Zero.And.Property("Unbonding").EqualTo(9m));
        Assert.That(await OnlySlashAsync(), Has.Property("Amount").EqualTo(1m).And.Property("State").EqualTo(Domain.Tokenomics.Staking.SlashState.Escrowed)
            .And.Property("AppealUntil").EqualTo(_world.Now.AddHours(72)).And.Property("Harmed").EqualTo(LedgerWorld.AddressOf(_requester)));
        Assert.That((await _world.SendAsync(new ListSlashesQuery(), _requester)).Total, Is.Zero, "who has nothing staked has nothing to lose and no record");
        await RequireSoundAsync();

        await SetAsync(ParameterCatalogue.AppealTime, 1);
        await SetAsync(ParameterCatalogue.HarmedShare, 0);
        _time.Advance(TimeSpan.FromHours(72) - TimeSpan.FromMilliseconds(1));
        await _world.SendAsync(new ExecuteSlashesCommand());
        Assert.That((await OnlySlashAsync()).DecidedAt, Is.Null, "promises stand as they were made");
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => _world.SendAsync(new ExecuteSlashesCommand()))));
        Assert.That((await OnlySlashAsync()).State, Is.EqualTo(Domain.Tokenomics.Staking.SlashState.Executed));
        Assert.That((await _world.BalanceAsync(_requester)).Balance, Is.EqualTo(100.5m));
        Assert.That((await _world.SendAsync(new AuditLedgerQuery())).Burned, Is.EqualTo(0.5m));
        await RequireSoundAsync();
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task An_appealed_slash_waits_for_its_decision(bool uphold)
    {
        await StakeAsync(50);
        await OutvoteAsync(Blame());
        var slash = await OnlySlashAsync();
        var appeal = new AppealSlashCommand { SlashId = slash.Id, Reason = "the payload is not deterministic" };
        Assert.That(Refusal(() => _world.SendAsync(appeal, _requester)).Error, Is.EqualTo(IdentityErrors.NotYours));
        Assert.That(Refusal(() => DecideAsync(slash.Id, uphold)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealed"));
        await _world.SendAsync(appeal, _owner);
        Assert.That(Refusal(() => _world.SendAsync(appeal, _owner)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealable"));
        _time.Advance(TimeSpan.FromDays(30));
        await _world.SendAsync(new ExecuteSlashesCommand());
        Assert.That(await OnlySlashAsync(), Has.Property("State").EqualTo(Domain.Tokenomics.Staking.SlashState.Appealed).And.Property("Appeal").EqualTo(appeal.Reason));
        await RequireSoundAsync();

        await DecideAsync(slash.Id, uphold);
        Assert.That(Refusal(() => DecideAsync(slash.Id, !uphold)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealed"));
        Assert.That(await OnlySlashAsync(), Has.Property("Decision").EqualTo("because it is so").And.Property("DecidedBy").EqualTo("proposal").And.Property("DecidedAt").EqualTo(_world.Now));
        Assert.That((await _world.BalanceAsync(_owner)).Staked, Is.EqualTo(uphold ? 45m : 50m));
        Assert.That((await _world.BalanceAsync(_requester)).Balance, Is.EqualTo(uphold ? 102.5m : 100m));
        if (!uphold)
            Assert.That((await _world.SendAsync(new GetStakesQuery(), _owner)).Lots.Select(l => (l.Amount, l.LockedUntil)), Is.EqualTo(new[] { (45m, slash.CreatedAt.AddDays(7)), (5m, slash.CreatedAt.AddDays(7)) }));
        await RequireSoundAsync();
    }

    private Task<int> DecideAsync(Guid slash, bool uphold) => _world.InTransactionAsync(async services =>
    {
        await services.GetRequiredService<ISlashCourt>().DecideAsync(slash, uphold, "proposal", "because it is so", CancellationToken.None);
        return 0;
    });

    [Test]
    public async Task Equivocation_costs_everything_and_is_told_from_a_wrong_result_of_the_same_attempt()
    {
        await StakeAsync(50);
        var blamed = Blame();
        await OutvoteAsync(blamed);
        await _world.HappenAsync(new Equivocated([blamed with { Evidence = """{"both":"receipts"}""" }], _world.Now));
        await _world.HappenAsync(new Equivocated([blamed], _world.Now));
        var slashes = (await _world.SendAsync(new ListSlashesQuery(), _owner)).Slashes;
        Assert.That(slashes.Select(s => (s.Reason, s.Amount, s.Evidence)), Is.EquivalentTo(new[]
        {
            (Domain.Tokenomics.Staking.SlashReason.WrongResult, 5m, (string?)null), (Domain.Tokenomics.Staking.SlashReason.Equivocation, 45m, """{"both":"receipts"}"""),
        }));
        await RequireSoundAsync();
    }

    [Test]
    public async Task Acceptance_and_slash_happen_together_and_the_reconciler_sees_lots_that_lie()
    {
        await SetAsync(ParameterCatalogue.StakeLock, 0);
        await StakeAsync(50);
        await UnstakeAsync(20);
        _time.Advance(TimeSpan.FromDays(1));
        await _world.SendAsync(new PayStakingRewardsCommand());
        var job = await _world.AdmitAsync(_requester, 5_000_000);
        await _world.HappenAsync(
            new TasksAccepted([new(job, 0, _requester, 1_000_000, [new(_requester, "honest", AttemptId.New(_world.Now))])], _world.Now) { Blamed = [_owner] },
            new ResultsOutvoted([Blame()], _world.Now));
        Assert.That((await OnlySlashAsync()).Amount, Is.EqualTo(5m));
        await RequireSoundAsync();
        foreach (var (sql, check) in new[]
        {
            ("UPDATE tokenomics.stakes SET amount = amount - 1", "staked"), ("UPDATE tokenomics.unbondings SET claimed_at = started_at", "unbonding"),
            ("UPDATE tokenomics.slashes SET from_staked = from_staked + 1", "slashed"), ("UPDATE tokenomics.stake_accruals SET paid = paid + 1", "staking_rewards"),
        })
        {
            await _world.TamperAsync(sql);
            Assert.That((await _world.SendAsync(new ReconcileLedgerCommand())).Differences.Select(d => d.Check), Has.Member(check));
        }
        foreach (var sql in new[] { "DELETE FROM tokenomics.stakes", "UPDATE tokenomics.stakes SET locked_until = now()", "UPDATE tokenomics.slashes SET appeal_until = now()", "UPDATE tokenomics.unbondings SET available_at = now()" })
            Assert.That(Assert.ThrowsAsync<Npgsql.PostgresException>(() => _world.SqlAsync(sql))!.Message, Does.Contain("append-only"));
    }

    /// <summary>Eight connections stake, unstake, claim, slash, appeal, decide, settle and pay for the same two owners at once.</summary>
    [Test]
    public async Task Random_parallel_histories_keep_lots_and_balances_in_step()
    {
        await using var world = await LedgerWorld.CreateAsync();
        var owners = new[] { await world.OpenAccountAsync(), await world.OpenAccountAsync() };
        await SetAsync(world, ParameterCatalogue.StakeLock, 0);
        await SetAsync(world, ParameterCatalogue.Unbonding, 0);
        await SetAsync(world, ParameterCatalogue.AppealTime, 0);
        var job = await world.AdmitAsync(owners[0], 20_000_000);
        var (refused, done) = (0, 0);

        async Task RunAsync(int worker)
        {
            var random = new Random(worker);
            for (var step = 0; step < 40; step++)
            {
                var (owner, other) = random.Next(2) == 0 ? (owners[0], owners[1]) : (owners[1], owners[0]);
                var amount = random.Next(1_000_000, 9_000_000) * Micro;
                try
                {
                    switch (random.Next(12))
                    {
                        case < 4:
                            await world.SendAsync(new StakeCommand { Amount = amount }, owner);
                            break;
                        case < 7:
                            await world.SendAsync(new UnstakeCommand { Amount = amount }, owner);
                            break;
                        case < 9:
                            await world.SendAsync(new ClaimUnbondedCommand(), owner);
                            break;
                        case < 10:
                            var blamed = new BlamedAttempt(AttemptId.New(world.Now), job, step, "liar", owner, other, null);
                            var index = (worker * 100) + step;
                            await world.HappenAsync(
                                new TasksAccepted([new(job, index, owners[0], 1_000, [new(other, "honest", AttemptId.New(world.Now))])], world.Now) { Blamed = [owner] },
                                new ResultsOutvoted([blamed], world.Now));
                            break;
                        case < 11:
                            await world.SendAsync(new ExecuteSlashesCommand());
                            break;
                        default:
                            await world.InTransactionAsync(async s =>
                            {
                                await s.GetRequiredService<IStakeAccrual>().AccrueAllAsync(world.Now, CancellationToken.None);
                                return 0;
                            });
                            Assert.That((await world.SendAsync(new ReconcileLedgerCommand())).Differences, Is.Empty, "in the middle of it");
                            break;
                    }
                    Interlocked.Increment(ref done);
                }
                catch (FogException refusal) when (refusal.Error.Code is "tokenomics.insufficient_funds" or "tokenomics.insufficient_stake" or "tokenomics.nothing_to_claim")
                {
                    Interlocked.Increment(ref refused);
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() => RunAsync(worker))));
        await world.SealAllAsync();
        Assert.That((await world.SendAsync(new AuditLedgerQuery())).Differences, Is.Empty);
        TestContext.Out.WriteLine($"{done} done, {refused} refused");
        Assert.That(done, Is.GreaterThan(100), "the history must be worth checking");
        // Independently of the audit's own SQL:
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.accounts WHERE balance < 0 AND kind <> 'Issuance'"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>("SELECT sum(balance) FROM tokenomics.accounts"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>("SELECT (SELECT sum(balance) FROM tokenomics.accounts WHERE kind = 'Staked') - (SELECT sum(amount) FROM tokenomics.stakes)"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>(
            "SELECT (SELECT sum(balance) FROM tokenomics.accounts WHERE kind = 'Unbonding') - (SELECT coalesce(sum(amount), 0) FROM tokenomics.unbondings WHERE claimed_at IS NULL)"), Is.Zero);
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.slashes"), Is.Positive);
        Assert.That(await world.DeadlocksAsync(), Is.Zero, "the lock order is broken");
    }
}
