using System.Collections.Concurrent;
using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>Whatever happens in whatever order from however many connections: nothing is created, lost, paid twice or left held.</summary>
public sealed class ConservationTests
{
    private sealed record Job(JobId Id, AccountId Requester);

    /// <summary>Cost and payees follow from job and index, so that the random repeats below are repeats.</summary>
    private static AcceptedTask TaskOf(Job job, int index, List<AccountId> owners)
    {
        var seeded = new Random(HashCode.Combine(job.Id, index));
        var payees = Enumerable.Range(0, seeded.Next(1, 4))
            .Select(i => new Payee(owners[seeded.Next(owners.Count)], "device-" + i, new AttemptId(new Guid(index, (short)i, 7, job.Id.Value.ToByteArray()[8..]))))
            .ToArray();
        return new AcceptedTask(job.Id, index, job.Requester, seeded.Next(1, 400_000), payees);
    }

    /// <summary>Eight connections admit, settle, repeat, close, seal and reconcile at random.</summary>
    /// <param name="seed">Of the random choices; the interleaving differs from run to run.</param>
    /// <param name="ordered">
    /// True: a transaction closes only a job whose tasks it accepts, which the lock order covers, so there must be no deadlock at all. False: it closes
    /// any job; then the database may have to break a deadlock and the unit of work starts over, which must not show in the books.
    /// </param>
    [TestCase(1, true)]
    [TestCase(2, true)]
    [TestCase(3, false)]
    public async Task Random_parallel_histories_conserve_every_micro_credit(int seed, bool ordered)
    {
        const int connections = 8;
        const int steps = 60;
        await using var world = await LedgerWorld.CreateAsync();
        var owners = new List<AccountId>();
        for (var i = 0; i < 5; i++)
            owners.Add(await world.OpenAccountAsync());
        var open = new ConcurrentDictionary<JobId, Job>();
        var refused = 0;
        var closed = 0;
        var history = new ConcurrentBag<TasksAccepted>();

        async Task RunAsync(int worker)
        {
            var random = new Random((seed * 1000) + worker);
            for (var step = 0; step < steps; step++)
            {
                var jobs = open.Values.ToArray();
                var batch = jobs.Length == 0 ? null : new TasksAccepted(
                    Enumerable.Range(0, random.Next(1, 40)).Select(_ => TaskOf(jobs[random.Next(jobs.Length)], random.Next(20), owners)).ToArray(), world.Now);
                switch (random.Next(10))
                {
                    case < 3 or _ when batch is null:
                        var job = new Job(JobId.New(world.Now), owners[random.Next(owners.Count)]);
                        var amount = random.Next(10) == 0 ? 90_000_000 : random.Next(0, 4_000_000);
                        try
                        {
                            await world.AdmitAsync(job.Id, job.Requester, amount);
                            await world.AdmitAsync(job.Id, job.Requester, amount);
                            open[job.Id] = job;
                        }
                        catch (FogException refusal) when (refusal.Error.Code == "tokenomics.insufficient_funds")
                        {
                            Interlocked.Increment(ref refused);
                        }
                        break;
                    case < 7:
                        history.Add(batch);
                        await world.HappenAsync(batch);
                        break;
                    case < 8 when history.TryPeek(out var earlier):
                        await world.HappenAsync(earlier);
                        break;
                    case < 9:
                        // The last results of a job and its end, in one transaction.
                        var ending = jobs[random.Next(jobs.Length)];
                        var last = ordered ? batch with { Tasks = [.. batch.Tasks, TaskOf(ending, random.Next(20), owners)] } : batch;
                        IDomainEvent[] results = random.Next(2) == 0 ? [last] : [];
                        await world.CloseAsync(ending.Id, results);
                        open.TryRemove(ending.Id, out _);
                        Interlocked.Increment(ref closed);
                        break;
                    default:
                        await world.SendAsync(new SealJournalCommand());
                        Assert.That((await world.SendAsync(new ReconcileLedgerCommand())).Differences, Is.Empty, "in the middle of it");
                        break;
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, connections).Select(worker => Task.Run(() => RunAsync(worker))));
        await world.SealAllAsync();
        var audit = await world.SendAsync(new AuditLedgerQuery());
        TestContext.Out.WriteLine($"{audit.Transfers} transfers, {audit.Postings} postings, {audit.Blocks} blocks, {audit.OpenHolds} open holds, {closed} closed, {refused} refused");
        Assert.That(audit.Differences, Is.Empty);
        Assert.That(audit, Has.Property("Supply").EqualTo(1_000_000m).And.Property("Unsealed").Zero.And.Property("BrokenBlock").Null);
        Assert.That(audit.Transfers, Is.GreaterThan(500), "the history must be worth checking");
        // Independently of the audit's own SQL:
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.accounts WHERE balance < 0 AND kind <> 'Issuance'"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>("SELECT sum(balance) FROM tokenomics.accounts"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>("SELECT sum(h.remaining) - (SELECT sum(balance) FROM tokenomics.accounts WHERE kind = 'Held') FROM tokenomics.holds h"), Is.Zero);
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.holds h JOIN scheduler.jobs j ON j.id = h.job_id WHERE h.state = 'Open' AND j.state <> 'Admitted'"), Is.Zero);
        Assert.That(await world.ScalarAsync<decimal>(
            "SELECT coalesce(sum(settled), 0) - (SELECT -coalesce(sum(p.amount), 0) FROM tokenomics.postings p JOIN tokenomics.transfers t ON t.number = p.transfer JOIN tokenomics.accounts a ON a.id = p.account_id WHERE t.kind = 'Settlement' AND a.kind = 'Held') FROM tokenomics.holds"), Is.Zero);
        if (ordered)
            Assert.That(await world.DeadlocksAsync(), Is.Zero, "the lock order is broken");
    }

    /// <summary>Run with FOG_TEST_PG naming a durable server; prints tasks settled per second.</summary>
    [Test, Explicit("A measurement, not a check")]
    public async Task Settle_rate()
    {
        const int connections = 4;
        const int batches = 200;
        const int size = 64;
        await using var world = await LedgerWorld.CreateAsync();
        var owners = new List<AccountId>();
        for (var i = 0; i < 8; i++)
            owners.Add(await world.OpenAccountAsync());
        var jobs = new List<Job>();
        for (var i = 0; i < connections; i++)
            jobs.Add(new Job(await world.AdmitAsync(owners[i], 50_000_000), owners[i]));
        for (var round = 0; round < 3; round++)
        {
            var started = Stopwatch.GetTimestamp();
            await Task.WhenAll(jobs.Select((job, worker) => Task.Run(async () =>
            {
                for (var batch = 0; batch < batches; batch++)
                {
                    var first = ((round * batches) + batch) * size;
                    await world.HappenAsync(new TasksAccepted(Enumerable.Range(first, size).Select(i => new AcceptedTask(job.Id, i, job.Requester, 100 + (i % 64),
                        [new Payee(owners[(worker + i) % 8], "device", AttemptId.New(world.Now))])).ToArray(), world.Now));
                }
            })));
            TestContext.Out.WriteLine($"{connections * batches * size / Stopwatch.GetElapsedTime(started).TotalSeconds:F0} tasks/s ({connections} connections, batches of {size})");
        }
    }
}
