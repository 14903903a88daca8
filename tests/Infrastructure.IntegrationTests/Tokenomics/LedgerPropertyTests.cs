using System.Collections.Concurrent;
using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity.Events;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>
/// Ten thousand random transactions over every kind of movement, from eight connections, while statements fail, server processes die and callers
/// fall over half way. Each is repeated as its caller would, until there is an answer.
/// </summary>
public sealed class LedgerPropertyTests
{
    private const int Sequences = 10_000, Connections = 8, MostTries = 40;

    /// <summary>Steps in a transaction, by how often: short ones leave more room for interleaving.</summary>
    private static readonly int[] Lengths = [1, 1, 1, 2, 2, 3];

    /// <summary>Fails in three ways after statements that write, and inside COMMIT: the process dies, another transaction won, a defect.</summary>
    private const string CrashTriggers =
        """
        CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            roll double precision := random();
            -- Rarely: the driver renews its whole pool each time.
            dies double precision := CASE TG_NAME WHEN 'crash_in_commit' THEN 0.0015 ELSE 0.0004 END;
        BEGIN
            IF roll < dies THEN PERFORM pg_terminate_backend(pg_backend_pid());
            ELSIF roll < 0.005 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001';
            ELSIF roll < 0.009 THEN RAISE EXCEPTION 'injected' USING ERRCODE = 'P0001';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER crash AFTER INSERT ON tokenomics.transfers FOR EACH STATEMENT EXECUTE FUNCTION crash();
        CREATE TRIGGER crash AFTER INSERT ON tokenomics.postings FOR EACH STATEMENT EXECUTE FUNCTION crash();
        CREATE TRIGGER crash AFTER INSERT OR UPDATE ON tokenomics.accounts FOR EACH STATEMENT EXECUTE FUNCTION crash();
        CREATE TRIGGER crash AFTER INSERT OR UPDATE ON tokenomics.holds FOR EACH STATEMENT EXECUTE FUNCTION crash();
        CREATE CONSTRAINT TRIGGER crash_in_commit AFTER INSERT ON tokenomics.transfers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();
        """;

    private sealed class CallerFellOver : Exception;

    private sealed record Job(JobId Id, AccountId Requester);

    private sealed record Slashed(Guid Id, AccountId Owner, long Amount);

    /// <summary>One statement of business inside a transaction.</summary>
    /// <param name="Key">Idempotency key that only this step uses; null where others may record the same.</param>
    /// <param name="Done">What others may build on once it is committed.</param>
    private sealed record Step(Func<IServiceProvider, Task> RunAsync, string? Key = null, Action? Done = null)
    {
        /// <summary>Somebody else may have recorded another movement under its key; then it is refused.</summary>
        public bool MayBeTooLate { get; init; }
    }

    private sealed record Snapshot(long Transfer, IReadOnlyDictionary<AccountId, long> Staked);

    /// <summary>What is committed and can be drawn from, the latest by preference: old jobs and slashes are decided.</summary>
    private sealed class Pot<T>
    {
        private readonly List<T> _items = [];

        public void Add(T item)
        {
            lock (_items)
                _items.Add(item);
        }

        public bool TryDraw(Random random, int among, out T item)
        {
            lock (_items)
            {
                var any = _items.Count > 0;
                item = any ? _items[^(1 + random.Next(Math.Min(among, _items.Count)))] : default!;
                return any;
            }
        }

        public T[] ToArray()
        {
            lock (_items)
                return [.. _items];
        }
    }

    private readonly ConcurrentDictionary<string, int> _counts = new();
    private readonly Pot<AccountId> _owners = new();
    private readonly Pot<Job> _jobs = new();
    private readonly Pot<Slashed> _slashes = new();
    private readonly Pot<IReadOnlyList<Step>> _done = new();
    private readonly ConcurrentBag<string> _refusedKeys = [];
    private readonly ConcurrentBag<Snapshot> _snapshots = [];
    private AccountId[] _lenders = [];
    private LedgerWorld _world = null!;

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    /// <param name="seed">Of the choices; interleaving and crashes differ from run to run.</param>
    [TestCase(20260101)]
    public async Task Ten_thousand_random_transactions_among_crashes_leave_the_books_right(int seed)
    {
        _world = await LedgerWorld.CreateAsync();
        // Random sequences lock in any order; what the database has to break up it shall break up soon.
        await _world.SqlAsync("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''20ms''', current_database()); END $$");
        for (var i = 0; i < 12; i++)
            _owners.Add(await _world.OpenAccountAsync());
        _lenders = _owners.ToArray();
        await _world.SqlAsync(CrashTriggers);

        var started = Stopwatch.GetTimestamp();
        var next = 0;
        using var over = new CancellationTokenSource();
        var killer = KillAsync(over.Token);
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(worker => Task.Run(async () =>
        {
            var random = new Random(seed + worker);
            while (Interlocked.Increment(ref next) <= Sequences)
                await OneAsync(random);
        })));
        await over.CancelAsync();
        await killer;
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        TestContext.Out.WriteLine($"{Sequences} sequences in {seconds:F1} s; {string.Join(", ", _counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key} {c.Value}"))}");

        await _world.SqlAsync("DROP FUNCTION crash CASCADE");
        await _world.SealAllAsync();
        await BooksAreRightAsync();
        await WhatWasSaidIsTrueAsync();
        await SnapshotsStandAsync();
        foreach (var kind in new[] { "crash: process", "crash: commit", "crash: statement", "crash: caller", "crash: contention", "done", "refused: tokenomics.insufficient_funds", "refused: tokenomics.transfer_key_reused" })
            Assert.That(_counts.GetValueOrDefault(kind), Is.Positive, $"'{kind}' must happen for this to be worth anything");
    }

    /// <summary>Stakes are moved here as bare transfers, without the lots, unbondings and slashes that StakingTests holds to them.</summary>
    private static IEnumerable<LedgerDifference> InTheBooks(IEnumerable<LedgerDifference> differences) =>
        differences.Where(d => d.Check is not ("staked" or "unbonding" or "slashed" or "staking_rewards"));

    /// <summary>One sequence, or now and then a look at the books, until there is an answer.</summary>
    private async Task OneAsync(Random random)
    {
        switch (random.Next(1000))
        {
            case < 10:
                await UntilAnsweredAsync(() => SnapshotAsync());
                return;
            case < 12:
                await UntilAnsweredAsync(() => _world.SendAsync(new SealJournalCommand()));
                return;
            case < 14:
                await UntilAnsweredAsync(async () => Assert.That(InTheBooks((await _world.SendAsync(new ReconcileLedgerCommand())).Differences), Is.Empty, "in the middle of it"));
                return;
            case < 54 when _done.TryDraw(random, int.MaxValue, out var earlier):
                Count("repeated");
                Assert.That(await RunAsync(earlier, random), Is.True, "what is on record is never refused");
                return;
            default:
                var steps = Enumerable.Range(0, Lengths[random.Next(Lengths.Length)]).Select(_ => StepOf(random)).ToArray();
                if (!await RunAsync(steps, random))
                {
                    foreach (var key in steps.Select(s => s.Key).OfType<string>())
                        _refusedKeys.Add(key);
                    return;
                }
                foreach (var step in steps)
                    step.Done?.Invoke();
                _done.Add(steps);
                return;
        }
    }

    /// <summary>All steps in one transaction; false: refused, so none of them.</summary>
    private async Task<bool> RunAsync(IReadOnlyList<Step> steps, Random random)
    {
        try
        {
            await UntilAnsweredAsync(async () =>
            {
                var runs = 0;
                await _world.InTransactionAsync(async services =>
                {
                    if (runs++ > 0)
                        Count("crash: contention");
                    foreach (var step in steps)
                    {
                        FallOver(random);
                        await step.RunAsync(services);
                    }
                    FallOver(random);
                    return 0;
                });
            });
            Count("done");
            return true;
        }
        catch (FogException refusal) when (refusal.Error.Code == "tokenomics.insufficient_funds"
            || (refusal.Error.Code == "tokenomics.transfer_key_reused" && steps.Any(s => s.MayBeTooLate)))
        {
            Count("refused: " + refusal.Error.Code);
            return false;
        }
    }

    private void FallOver(Random random)
    {
        if (random.Next(200) == 0)
            throw new CallerFellOver();
    }

    /// <summary>As a caller does who repeats what was not answered.</summary>
    private async Task UntilAnsweredAsync(Func<Task> work)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception crash) when (attempt < MostTries && CrashOf(crash) is { } kind)
            {
                Count("crash: " + kind);
            }
        }
    }

    private static string? CrashOf(Exception failure) => failure switch
    {
        CallerFellOver => "caller",
        FogException fog when fog.Error == DatabaseFailures.OutcomeUnknown => "commit",
        FogException fog when fog.Error == DatabaseFailures.DatabaseDown => "process",
        PostgresException { SqlState: "P0001", MessageText: "injected" } => "statement",
        _ when DatabaseFailures.IsContention(failure) => "contention",
        _ => null,
    };

    private void Count(string what) => _counts.AddOrUpdate(what, 1, (_, n) => n + 1);

    private AccountId Owner(Random random) => _owners.TryDraw(random, int.MaxValue, out var owner) ? owner : throw new InvalidOperationException("No accounts.");

    private Step StepOf(Random random)
    {
        var (id, owner, amount, at) = (Guid.NewGuid(), Owner(random), random.NextInt64(1, 8_000_000), _world.Now);
        Step Move(TransferKind kind, LedgerAccount from, LedgerAccount to, Action? done = null)
        {
            var transfer = Transfer.Create(kind, $"{kind}:{id}", [new(from, -amount), new(to, amount)], at);
            return new Step(services => services.GetRequiredService<ILedger>().PostAsync([transfer], [], CancellationToken.None), transfer.IdempotencyKey, done);
        }

        var (available, staked, unbonding) = (LedgerAccount.Available(owner), LedgerAccount.Staked(owner), LedgerAccount.Unbonding(owner));
        switch (random.Next(100))
        {
            case < 2:
                return Open();
            case < 17:
                var job = new Job(JobId.New(at), owner);
                return new Step(services => AdmitAsync(services, job, amount, at), $"hold:{job.Id}", () => _jobs.Add(job));
            case < 32 when _jobs.TryDraw(random, 60, out var running):
                return Happen(new TasksAccepted([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => TaskOf(running, random.Next(12)))], at));
            case < 40 when _jobs.TryDraw(random, 60, out var ending):
                return new Step(services => CloseAsync(services, ending, at));
            case < 58:
                return Move(TransferKind.Stake, available, staked);
            case < 68:
                return Move(TransferKind.Unstake, staked, unbonding);
            case < 76:
                return Move(TransferKind.Claim, unbonding, available);
            case < 82:
                return Move(TransferKind.Slash, random.Next(2) == 0 ? staked : unbonding, LedgerAccount.System(AccountKind.Slashed), () => _slashes.Add(new Slashed(id, owner, amount)));
            case < 90 when _slashes.TryDraw(random, 20, out var slashed):
                return End(slashed, executed: random.Next(2) == 0, Owner(random), at);
            case < 95:
                return Move(TransferKind.StakingReward, LedgerAccount.System(AccountKind.RewardsPool), available);
            case < 97 when _done.TryDraw(random, int.MaxValue, out var earlier) && earlier.Select(s => s.Key).FirstOrDefault(k => k is not null && !k.StartsWith("hold", StringComparison.Ordinal)) is { } taken:
                var forged = Transfer.Create(TransferKind.TreasuryGrant, taken, [new(LedgerAccount.System(AccountKind.Treasury), -8_000_001), new(available, 8_000_001)], at);
                return new Step(services => services.GetRequiredService<ILedger>().PostAsync([forged], [], CancellationToken.None)) { MayBeTooLate = true };
            default:
                return Move(TransferKind.TreasuryGrant, LedgerAccount.System(AccountKind.Treasury), available);
        }
    }

    private Step Open()
    {
        var (account, at) = (AccountId.New(_world.Now), _world.Now);
        return new Step(async services =>
        {
            await services.GetRequiredService<IMediator>().Publish(new AccountOpened(account, LedgerWorld.AddressOf(account), at));
            await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync("INSERT INTO identity.accounts (id, name, address, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                CancellationToken.None, account.Value, account.ToString(), LedgerWorld.AddressOf(account), at);
        }, $"grant:{account}", () => _owners.Add(account));
    }

    private static async Task AdmitAsync(IServiceProvider services, Job job, long amount, DateTimeOffset at)
    {
        await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync("INSERT INTO scheduler.jobs (id, state) VALUES ($1, 'Admitted') ON CONFLICT (id) DO NOTHING", CancellationToken.None, job.Id.Value);
        await services.HoldAsync(new AdmittedJob(job.Id, job.Requester, amount, at, at.AddDays(1)));
    }

    private static async Task CloseAsync(IServiceProvider services, Job job, DateTimeOffset at)
    {
        await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync("UPDATE scheduler.jobs SET state = 'Completed' WHERE id = $1", CancellationToken.None, job.Id.Value);
        await services.GetRequiredService<IMediator>().Publish(new JobClosed(job.Id, at));
    }

    private static Step Happen(IDomainEvent happened) => new(services => services.GetRequiredService<IMediator>().Publish(happened));

    /// <summary>Cost and payees follow from job and index, so that a repeat is a repeat.</summary>
    private AcceptedTask TaskOf(Job job, int index)
    {
        var seeded = new Random(HashCode.Combine(job.Id, index));
        return new AcceptedTask(job.Id, index, job.Requester, seeded.NextInt64(1, 1_500_000),
            [.. Enumerable.Range(0, seeded.Next(1, 4)).Select(i => new Payee(_lenders[seeded.Next(_lenders.Length)], "device-" + i, new AttemptId(new Guid(index, (short)i, 7, job.Id.Value.ToByteArray()[8..]))))]);
    }

    /// <summary>A slash is executed or taken back, whoever decides first: both go by one key.</summary>
    private static Step End(Slashed slash, bool executed, AccountId harmed, DateTimeOffset at)
    {
        var compensation = slash.Amount / 2;
        Posting[] movements = executed
            ? [new(LedgerAccount.System(AccountKind.Slashed), -slash.Amount), new(LedgerAccount.Available(harmed), compensation), new(LedgerAccount.System(AccountKind.Burned), slash.Amount - compensation)]
            : [new(LedgerAccount.System(AccountKind.Slashed), -slash.Amount), new(LedgerAccount.Staked(slash.Owner), slash.Amount)];
        var transfer = Transfer.Create(executed ? TransferKind.SlashExecution : TransferKind.SlashReversal, $"slash-end:{slash.Id}", movements, at);
        return new Step(services => services.GetRequiredService<ILedger>().PostAsync([transfer], [], CancellationToken.None)) { MayBeTooLate = true };
    }

    private async Task SnapshotAsync()
    {
        var taken = await _world.InTransactionAsync(async services =>
        {
            var power = services.GetRequiredService<IVotingPower>();
            var snapshot = await power.SnapshotAsync(CancellationToken.None);
            var staked = await power.StakedAtAsync(_owners.ToArray(), snapshot.Transfer, CancellationToken.None);
            Assert.That(snapshot.SupplyMicro, Is.LessThanOrEqualTo(Genesis.CapMicro));
            Assert.That(staked.Values.Sum(), Is.LessThanOrEqualTo(snapshot.SupplyMicro), "votes within the supply");
            return new Snapshot(snapshot.Transfer, staked);
        });
        _snapshots.Add(taken);
        Count("snapshot");
    }

    /// <summary>Ends a server process of the pool's every now and then, wherever it is.</summary>
    private async Task KillAsync(CancellationToken over)
    {
        await using var connection = await _world.DataSource.OpenConnectionAsync(CancellationToken.None);
        await using var kill = new NpgsqlCommand(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle' ORDER BY random() LIMIT 1
            """, connection);
        while (!over.IsCancellationRequested)
        {
            await Task.Delay(1000, CancellationToken.None);
            await kill.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    private async Task BooksAreRightAsync()
    {
        var audit = await _world.SendAsync(new AuditLedgerQuery());
        TestContext.Out.WriteLine($"{audit.Transfers} transfers, {audit.Postings} postings, {audit.Blocks} blocks, {audit.OpenHolds} open holds, {_owners.ToArray().Length} owners, {_snapshots.Count} snapshots");
        Assert.That(InTheBooks(audit.Differences), Is.Empty);
        Assert.That(_snapshots, Is.Not.Empty);
        Assert.That(audit, Has.Property("Supply").EqualTo(1_000_000m).And.Property("Unsealed").Zero.And.Property("BrokenBlock").Null);
        // Independently of the audit's own SQL, each naming what it counts:
        foreach (var (what, sql) in new[]
        {
            ("accounts below zero", "SELECT count(*) FROM tokenomics.accounts WHERE balance < 0 AND kind <> 'Issuance'"),
            ("transfers that do not balance", "SELECT count(*) FROM (SELECT transfer FROM tokenomics.postings GROUP BY transfer HAVING sum(amount) <> 0) AS unbalanced"),
            ("balances that are not their postings", "SELECT count(*) FROM tokenomics.accounts a WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM tokenomics.postings p WHERE p.account_id = a.id)"),
            ("owners whose held balance is not their open holds",
                "SELECT count(*) FROM tokenomics.accounts a WHERE kind = 'Held' AND balance <> (SELECT coalesce(sum(remaining), 0) FROM tokenomics.holds h WHERE h.owner = a.owner AND h.state = 'Open')"),
            ("holds whose job is not open, and jobs without a hold",
                "SELECT count(*) FROM tokenomics.holds h FULL JOIN scheduler.jobs j ON j.id = h.job_id WHERE (h.state = 'Open') IS DISTINCT FROM (j.state = 'Admitted')"),
            ("credits in escrow that no undecided slash explains",
                """
                SELECT (SELECT balance FROM tokenomics.accounts WHERE kind = 'Slashed') - (SELECT coalesce(sum(p.amount), 0)::bigint FROM tokenomics.transfers t
                    JOIN tokenomics.postings p ON p.transfer = t.number AND p.amount > 0
                    WHERE t.kind = 'Slash' AND NOT EXISTS (SELECT FROM tokenomics.transfers e WHERE e.idempotency_key = replace(t.idempotency_key, 'Slash:', 'slash-end:')))
                """),
        })
        {
            Assert.That(await _world.ScalarAsync<long>(sql), Is.Zero, what);
        }
        Assert.That(await _world.ScalarAsync<decimal>("SELECT sum(balance) FROM tokenomics.accounts"), Is.Zero, "supply");
    }

    /// <summary>Done means on record, refused means nothing of it, whatever happened on the way to the answer.</summary>
    private async Task WhatWasSaidIsTrueAsync()
    {
        var done = _done.ToArray().SelectMany(steps => steps).Select(s => s.Key).OfType<string>().ToArray();
        var recorded = await _world.ReadAsync(services => services.GetRequiredService<ILedger>().FindAsync([.. done, .. _refusedKeys], CancellationToken.None));
        Assert.That(done.Where(k => !recorded.ContainsKey(k)), Is.Empty, "said to be done");
        Assert.That(_refusedKeys.Where(recorded.ContainsKey), Is.Empty, "said to be refused");
    }

    /// <summary>Nothing that happened after a snapshot, however low its journal number, has changed what it counts.</summary>
    private async Task SnapshotsStandAsync()
    {
        foreach (var snapshot in _snapshots)
        {
            var now = await _world.ReadAsync(services => services.GetRequiredService<IVotingPower>().StakedAtAsync(_owners.ToArray(), snapshot.Transfer, CancellationToken.None));
            Assert.That(now, Is.EquivalentTo(snapshot.Staked), $"at transfer {snapshot.Transfer}");
        }
    }
}
