using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>The chain and the reconciler find what a superuser with the triggers switched off has changed.</summary>
[NonParallelizable] // Counts blocks: what runs elsewhere on the server decides when one can be sealed.
public sealed class JournalTests
{
    private LedgerWorld _world = null!;
    private ManualTimeProvider _time = null!;

    [SetUp]
    public async Task SetUp() => _world = await LedgerWorld.CreateAsync(_time = new ManualTimeProvider());

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static async Task<Reconciliation> ThreeBlocksAsync(LedgerWorld world)
    {
        var requester = await world.OpenAccountAsync();
        await world.SealAllAsync();
        var job = await world.AdmitAsync(requester, 5_000_000);
        await world.SealAllAsync();
        await world.HappenAsync(new Application.Scheduler.Events.TasksAccepted(
            [new(job, 0, requester, 1_000_000, [new(requester, "d", Domain.Scheduler.AttemptId.New(world.Now))])], world.Now));
        await world.SealAllAsync();
        return await world.SendAsync(new ReconcileLedgerCommand());
    }

    [Test]
    public async Task A_sound_ledger_reconciles_and_health_says_so()
    {
        Assert.That((await _world.SendAsync(new GetLedgerHealthQuery())).Status, Is.EqualTo("unknown"));
        var outcome = await ThreeBlocksAsync(_world);
        Assert.That(outcome, Has.Property("DifferenceCount").Zero.And.Property("HeadBlock").EqualTo(3));
        Assert.That((await _world.SendAsync(new GetLedgerHealthQuery())).Status, Is.EqualTo("healthy"));
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.That((await _world.SendAsync(new GetLedgerHealthQuery())).Status, Is.EqualTo("unknown"));
    }

    // Transfers: 1 genesis and 2 grant in block 1, 3 hold in block 2, 4 settlement in block 3.
    [TestCase("UPDATE tokenomics.postings SET amount = amount + 1 WHERE transfer = 3 AND amount > 0", "transfer_balance,account_balance,running_balance,chain", 2L)]
    [TestCase("UPDATE tokenomics.postings SET amount = amount + sign(amount) WHERE transfer = 2", "account_balance,running_balance,chain", 1L)]
    [TestCase("INSERT INTO tokenomics.postings VALUES (9, 6, 5, 5, now()), (9, 7, -5, -5, now())", "account_balance,orphan_posting,running_balance", null)]
    [TestCase("INSERT INTO tokenomics.postings VALUES (3, 6, 5, 5, now()), (3, 7, -5, -5, now())", "account_balance,chain,running_balance", 2L)]
    [TestCase("UPDATE tokenomics.transfers SET cause = '{}' WHERE number = 4", "chain", 3L)]
    [TestCase("UPDATE tokenomics.transfers SET created_at = created_at + interval '1 microsecond' WHERE number = 1", "chain", 1L)]
    [TestCase("DELETE FROM tokenomics.transfers WHERE number = 3", "orphan_posting,chain", 2L)]
    [TestCase("UPDATE tokenomics.accounts SET balance = balance + 1 WHERE kind = 'Treasury'", "supply,account_balance", null)]
    [TestCase("UPDATE tokenomics.accounts SET balance = balance + CASE kind WHEN 'Treasury' THEN -7 ELSE 7 END WHERE kind IN ('Treasury', 'Fees')", "account_balance", null)]
    [TestCase("UPDATE tokenomics.accounts SET earned = earned + 1 WHERE kind = 'Available'", "earned", null)]
    [TestCase("ALTER TABLE tokenomics.accounts DROP CONSTRAINT accounts_owner_kind_key; UPDATE tokenomics.accounts SET kind = CASE kind WHEN 'Held' THEN 'Staked' ELSE 'Held' END WHERE kind IN ('Held', 'Staked')", "held,staked,chain", 2L)]
    [TestCase("ALTER TABLE tokenomics.accounts DROP CONSTRAINT accounts_never_below_zero; UPDATE tokenomics.accounts SET balance = -5 WHERE kind = 'Slashed'", "supply,account_balance,below_zero,slashed", null)]
    [TestCase("UPDATE tokenomics.holds SET remaining = remaining - 1, settled = settled + 1", "held", null)]
    [TestCase("UPDATE scheduler.jobs SET state = 'Cancelled'", "hold_without_open_job", null)]
    [TestCase("DELETE FROM scheduler.jobs", "hold_without_open_job", null)]
    [TestCase("DELETE FROM tokenomics.blocks WHERE number = 2", "chain", 2L)]
    [TestCase("DELETE FROM tokenomics.blocks WHERE number = 3", "chain", 3L)]
    [TestCase("UPDATE tokenomics.blocks SET last_transfer = 4 WHERE number = 2", "chain", 2L)]
    [TestCase("UPDATE tokenomics.blocks SET hash = sha256('x') WHERE number = 1", "chain", 1L)]
    [TestCase("UPDATE tokenomics.blocks SET sealed_at = sealed_at + interval '1 second' WHERE number = 2", "chain", 2L)]
    public async Task Tampering_is_found_by_the_reconciler_and_named(string sql, string checks, long? brokenBlock)
    {
        await ThreeBlocksAsync(_world);
        await _world.TamperAsync(sql);
        var outcome = await _world.SendAsync(new ReconcileLedgerCommand());
        Assert.That(outcome.Differences.Select(d => d.Check).Distinct(), Is.EquivalentTo(checks.Split(',')));
        var audit = await _world.SendAsync(new AuditLedgerQuery());
        Assert.That(audit, Has.Property("Balanced").False.And.Property("BrokenBlock").EqualTo(brokenBlock));
        Assert.That((await _world.SendAsync(new GetLedgerHealthQuery())).Status, Is.EqualTo("degraded"));
        Assert.That((await _world.SendAsync(new ReconcileLedgerCommand())).DifferenceCount, Is.EqualTo(outcome.DifferenceCount), "the alarm must not go away by itself");
    }

    [Test]
    public async Task A_history_rewritten_with_fitting_hashes_differs_from_the_last_reconciliation()
    {
        await ThreeBlocksAsync(_world);
        await _world.TamperAsync("DELETE FROM tokenomics.blocks WHERE number >= 2; UPDATE tokenomics.transfers SET idempotency_key = 'forged' WHERE number = 4");
        await _world.SealAllAsync();
        await _world.SealAllAsync();
        var outcome = await _world.SendAsync(new ReconcileLedgerCommand());
        Assert.That(outcome.Differences.Single().Check, Is.EqualTo("chain"));
        Assert.That(outcome.Differences.Single().Subject, Is.EqualTo("block 3"));
    }

    [Test]
    public async Task A_block_never_ends_above_a_transfer_that_is_still_to_commit()
    {
        var owner = await _world.OpenAccountAsync();
        await _world.SealAllAsync();
        await using var connection = await _world.DataSource.OpenConnectionAsync();
        await using var open = await connection.BeginTransactionAsync();
        await using (var insert = connection.CreateCommand())
        {
            // Draws the lower number and stays open, while a higher one commits.
            insert.CommandText = "INSERT INTO tokenomics.transfers (kind, idempotency_key, created_at) VALUES ('Settlement', 'slow', now())";
            await insert.ExecuteNonQueryAsync();
        }
        await _world.AdmitAsync(owner, 1_000);
        var early = await _world.InTransactionAsync(s => s.GetRequiredService<IJournal>().SealAsync(100, TimeSpan.FromMilliseconds(100), _world.Now, CancellationToken.None));
        Assert.That(early, Is.Null);
        await open.CommitAsync();
        var block = await _world.InTransactionAsync(s => s.GetRequiredService<IJournal>().SealAsync(100, TimeSpan.FromSeconds(10), _world.Now, CancellationToken.None));
        Assert.That(block, Has.Property("First").EqualTo(3).And.Property("Last").EqualTo(4).And.Property("Transfers").EqualTo(2));
    }

    [Test]
    public async Task Numbers_of_rolled_back_transfers_leave_no_hole_to_fill_later()
    {
        var owner = await _world.OpenAccountAsync();
        await _world.AdmitAsync(owner, 5);
        Assert.ThrowsAsync<InvalidOperationException>(() => _world.InTransactionAsync<int>(async services =>
        {
            await services.HoldAsync(new AdmittedJob(JobId.New(_world.Now), owner, 7, _world.Now, _world.Now.AddDays(1)));
            throw new InvalidOperationException("What took a number rolls back.");
        }));
        await _world.AdmitAsync(owner, 6);
        await _world.SealAllAsync();
        Assert.That((await _world.SendAsync(new AuditLedgerQuery())).Balanced, Is.True);
        await _world.SqlAsync("INSERT INTO tokenomics.transfers (number, kind, idempotency_key, created_at) VALUES (4, 'Settlement', 'late', now())");
        Assert.That((await _world.SendAsync(new AuditLedgerQuery())).BrokenBlock, Is.EqualTo(1));
    }

    [Test]
    public async Task Two_sealers_never_seal_the_same_transfers()
    {
        var owner = await _world.OpenAccountAsync();
        for (var i = 0; i < 20; i++)
        {
            await _world.AdmitAsync(owner, 1 + i);
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => _world.SendAsync(new SealJournalCommand()))));
        }
        await _world.SealAllAsync();
        Assert.That(await _world.SendAsync(new AuditLedgerQuery()), Has.Property("Balanced").True.And.Property("Unsealed").Zero);
    }

    [Test]
    public async Task Long_chains_are_walked_in_rounds()
    {
        var last = await ThreeBlocksAsync(_world);
        Task<ChainVerification> Verify(long from) => _world.ReadAsync(s => s.GetRequiredService<IJournal>().VerifyAsync(from, 1, last.Anchor, CancellationToken.None));
        Assert.That((await Verify(1)).VerifiedTo, Is.EqualTo(1));
        Assert.That((await Verify(2)).VerifiedTo, Is.EqualTo(2));
        Assert.That((await Verify(3)).VerifiedTo, Is.EqualTo(3));
        Assert.That(await Verify(4), Has.Property("FromBlock").EqualTo(1).And.Property("VerifiedTo").EqualTo(1));
    }
}
