using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;
using FogCompute.Protocol;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>Submits and heartbeats that share transactions, on the real database: each is as right as alone.</summary>
[TestFixture]
public sealed class GroupCommitTests
{
    private QueueWorld _world = null!;

    [SetUp]
    public async Task SetUp() => _world = await QueueWorld.CreateAsync();

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static SubmitJobCommand Job(string name = "job") => new()
    {
        Name = name, CpuRequired = 0.01, MemoryRequired = 1, DurationEstimate = 0.001, Payload = new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.DeviceBenchmark },
    };

    private Task<long> CountAsync(string what) => _world.ScalarAsync<long>($"SELECT count(*) FROM {what}");

    private static async Task<(int Done, List<Exception> Failures)> OutcomesAsync(IEnumerable<Task<SubmitJobResult>> submits)
    {
        var (done, failures) = (0, new List<Exception>());
        foreach (var submit in submits.ToList())
        {
            try
            {
                await submit;
                done++;
            }
            catch (Exception failure)
            {
                failures.Add(failure);
            }
        }
        return (done, failures);
    }

    /// <summary>Holds the lock that every submit of the account needs, so that all sent meanwhile come together.</summary>
    private static async Task<NpgsqlTransaction> BlockAsync(NpgsqlConnection connection, AccountId account)
    {
        await connection.OpenAsync();
        var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("SELECT 1 FROM tokenomics.accounts WHERE owner = $1 FOR UPDATE", connection, transaction);
        command.Parameters.Add(new() { Value = account.Value });
        await command.ExecuteNonQueryAsync();
        return transaction;
    }

    private Task<bool> AreBlockedAsync(int count) => _world.ScalarAsync<bool>($"SELECT count(*) >= {count} FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");

    [Test]
    public async Task Many_submits_of_several_accounts_are_each_whole()
    {
        AccountId[] accounts = [await _world.AccountAsync(), await _world.AccountAsync(), await _world.AccountAsync()];
        var answers = await Task.WhenAll(Enumerable.Range(0, 90).Select(i => _world.SendAsync(Job($"job {i}") with { Array = new ArraySpec { Count = 1 + i % 3 } }, accounts[i % 3])));

        Assert.That(answers.Select(a => a.JobId).Distinct().Count(), Is.EqualTo(90));
        var jobs = await _world.QueryAsync(
            """
            SELECT j.id, j.name, j.account_id, j.task_count, (SELECT count(*) FROM scheduler.tasks t WHERE t.job_id = j.id AND t.state = 'Ready' AND t.open_slots = 1)::int, h.owner, h.amount,
                (SELECT count(*) FROM tokenomics.transfers t WHERE t.job_id = j.id AND t.kind = 'Hold')::int
            FROM scheduler.jobs j JOIN tokenomics.holds h ON h.job_id = j.id
            """,
            r => (Id: r.GetGuid(0), Name: r.GetString(1), Account: r.GetGuid(2), Tasks: r.GetInt32(3), Written: r.GetInt32(4), Owner: r.GetGuid(5), Held: r.GetInt64(6), Transfers: r.GetInt32(7)));
        Assert.That(jobs, Has.Count.EqualTo(90));
        for (var i = 0; i < 90; i++)
        {
            var job = jobs.Single(j => j.Id == answers[i].JobId);
            Assert.That(job, Is.EqualTo((answers[i].JobId, $"job {i}", accounts[i % 3].Value, 1 + i % 3, 1 + i % 3, accounts[i % 3].Value, (long)(answers[i].Held * 1_000_000), 1)));
        }
        // 100 credits each came from the faucet.
        foreach (var account in accounts)
        {
            Assert.That(await _world.ScalarAsync<decimal>("SELECT sum(balance) FROM tokenomics.accounts WHERE owner = $1", account.Value), Is.EqualTo(100_000_000));
            Assert.That(await _world.ScalarAsync<long>("SELECT balance FROM tokenomics.accounts WHERE owner = $1 AND kind = 'Held'", account.Value),
                Is.EqualTo(jobs.Where(j => j.Account == account.Value).Sum(j => j.Held)));
        }
    }

    [Test]
    public async Task Nobody_is_answered_before_the_commit_and_the_bad_fail_alone()
    {
        var account = await _world.AccountAsync();
        await using var connection = new NpgsqlConnection(_world.ConnectionString);
        await using var block = await BlockAsync(connection, account);

        var first = _world.SendAsync(Job("first"), account);
        await Eventually.TrueAsync(() => AreBlockedAsync(1), "a group waits for the account");
        var good = Enumerable.Range(0, 30).Select(i => _world.SendAsync(Job($"{i}"), account)).ToList();
        // Each bad in its own way: unknown to the scheduler, too dear, and such that the database refuses the whole statement (NUL in a JSON document).
        var unknown = _world.SendAsync(Job() with { DependsOn = [Guid.NewGuid()] }, account);
        var dear = _world.SendAsync(Job() with { CpuRequired = 1024, DurationEstimate = 10_000, Array = new ArraySpec { Count = 100 } }, account);
        var poison = _world.SendAsync(Job() with { Payload = new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["cat"], Stdin = "\0" } }, account);
        good.AddRange(Enumerable.Range(30, 30).Select(i => _world.SendAsync(Job($"{i}"), account)));
        await Task.Delay(100);
        Assert.That(good.Append(first).Any(g => g.IsCompleted), Is.False, "nothing is committed yet");
        Assert.That(await CountAsync("scheduler.jobs"), Is.Zero);

        await block.RollbackAsync();
        await Task.WhenAll(good.Append(first));
        Assert.That(() => unknown, Throws.InstanceOf<FogException>().With.Property("Error").Property("Code").EqualTo("scheduler.dependency_not_found"));
        Assert.That(() => dear, Throws.InstanceOf<FogException>().With.Property("Error").Property("Code").EqualTo("tokenomics.insufficient_funds"));
        Assert.That(() => poison, Throws.InstanceOf<PostgresException>());
        Assert.That((await CountAsync("scheduler.jobs"), await CountAsync("scheduler.tasks"), await CountAsync("tokenomics.holds"), await CountAsync("tokenomics.transfers WHERE kind = 'Hold'")), Is.EqualTo((61L, 61L, 61L, 61L)));
    }

    [Test]
    public async Task The_last_credits_go_to_the_first_who_can_use_them()
    {
        var account = await _world.AccountAsync();
        // A third of what the account has, each.
        var price = (await _world.SendAsync(Job() with { DurationEstimate = 1000 }, account)).Held;
        await using var connection = new NpgsqlConnection(_world.ConnectionString);
        await using var block = await BlockAsync(connection, account);
        var tasks = (int)(30m / price);
        var submits = Enumerable.Range(0, 10).Select(_ => _world.SendAsync(Job() with { DurationEstimate = 1000, Array = new ArraySpec { Count = tasks } }, account)).ToList();
        await Eventually.TrueAsync(() => AreBlockedAsync(1), "a group waits for the account");
        await block.RollbackAsync();
        var (done, failures) = await OutcomesAsync(submits);
        Assert.That(done, Is.EqualTo(3));
        Assert.That(failures.Cast<FogException>().Select(f => f.Error.Code), Is.All.EqualTo("tokenomics.insufficient_funds"));
        Assert.That(await CountAsync("tokenomics.holds"), Is.EqualTo(4));
    }

    [Test]
    public async Task One_key_in_one_group_is_one_job()
    {
        var account = await _world.AccountAsync();
        await using var connection = new NpgsqlConnection(_world.ConnectionString);
        await using var block = await BlockAsync(connection, account);
        var same = Enumerable.Range(0, 8).Select(_ => _world.SendAsync(Job("same") with { IdempotencyKey = "k" }, account)).ToList();
        var others = Enumerable.Range(0, 8).Select(i => _world.SendAsync(Job("other") with { IdempotencyKey = $"k{i}" }, account)).ToList();
        var reused = _world.SendAsync(Job("another message") with { IdempotencyKey = "k" }, account);
        var refused = _world.SendAsync(Job("dear") with { CpuRequired = 1024, DurationEstimate = 10_000, Array = new ArraySpec { Count = 100 }, IdempotencyKey = "dear" }, account);
        await Eventually.TrueAsync(() => AreBlockedAsync(1), "a group waits for the account");
        await block.RollbackAsync();

        Assert.That((await Task.WhenAll(same)).Select(a => a.JobId).Distinct().Count(), Is.EqualTo(1));
        Assert.That((await Task.WhenAll(others)).Select(a => a.JobId).Distinct().Count(), Is.EqualTo(8));
        Assert.That(() => reused, Throws.InstanceOf<FogException>().With.Property("Error").EqualTo(IdempotencyErrors.KeyReused));
        Assert.That(() => refused, Throws.InstanceOf<FogException>());
        Assert.That(await CountAsync("scheduler.jobs"), Is.EqualTo(9));
        Assert.That((await _world.SendAsync(Job("same") with { IdempotencyKey = "k" }, account)).JobId, Is.EqualTo((await same[0]).JobId));
        // The refused one left its key free, for another message even.
        await _world.SendAsync(Job("cheap") with { IdempotencyKey = "dear" }, account);
    }

    [Test]
    public async Task A_group_whose_connection_breaks_has_done_nothing_and_says_so_to_each()
    {
        var account = await _world.AccountAsync();
        await using var connection = new NpgsqlConnection(_world.ConnectionString);
        await using var block = await BlockAsync(connection, account);
        var first = _world.SendAsync(Job("first"), account);
        await Eventually.TrueAsync(() => AreBlockedAsync(1), "a group waits for the account");
        var submits = Enumerable.Range(0, 20).Select(i => _world.SendAsync(Job($"{i}"), account)).Prepend(first).ToList();
        await Eventually.TrueAsync(() => AreBlockedAsync(2), "both lanes wait for the account");
        await _world.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
        // Whoever had not begun waits for the next transaction, and that works once the account is free.
        await block.RollbackAsync();
        var (done, failures) = await OutcomesAsync(submits);
        Assert.That(failures, Is.Not.Empty);
        Assert.That(failures.Cast<FogException>().Select(f => f.Error.Code), Is.All.EqualTo("common.database_unavailable"));
        Assert.That((await CountAsync("scheduler.jobs"), await CountAsync("tokenomics.holds")), Is.EqualTo(((long)done, (long)done)));
    }

    [Test]
    public async Task Heartbeats_at_the_same_time_are_all_stored_and_each_refused_for_itself()
    {
        var (owner, stranger) = (await _world.AccountAsync(), await _world.AccountAsync());
        await _world.DevicesAsync(owner, 20, 1);
        await _world.ExecuteAsync(
            """
            UPDATE idle_compute.devices SET last_seen_at = '2020-01-01', battery_percent = 50, charging = false;
            UPDATE idle_compute.devices SET state = 'Lost', state_reason = 'silent' WHERE id = 'd1';
            UPDATE idle_compute.devices SET state = 'Ineligible', state_reason = 'on_battery' WHERE id = 'd2';
            UPDATE idle_compute.devices SET state = 'Unregistered', unregistered_at = now() WHERE id = 'd3'
            """);
        Task<HeartbeatResult> BeatAsync(int device, AccountId account, double? battery = null, bool? charging = null) =>
            _world.SendAsync(new HeartbeatDeviceCommand { DeviceId = $"d{device}", Battery = battery, IsCharging = charging }, account);
        var before = _world.Now;
        var good = Enumerable.Range(0, 20).Where(i => i != 3).Select(i => BeatAsync(i, owner, i == 4 ? null : i, i == 5 ? null : true)).ToList();
        var bad = new[] { BeatAsync(6, stranger, 99), BeatAsync(3, owner, 99), BeatAsync(77, owner, 99), _world.SendAsAsync(
            new HeartbeatDeviceCommand { DeviceId = "d7", Battery = 99 }, new Caller(CallerKind.Device, owner, "d8", Permissions.Device.ToHashSet())) };
        Assert.That((await Task.WhenAll(good)).Select(a => a.DeviceId), Is.EqualTo(Enumerable.Range(0, 20).Where(i => i != 3).Select(i => $"d{i}")));
        foreach (var refused in bad)
            Assert.That(() => refused, Throws.InstanceOf<FogException>().With.Property("Error").Property("Code").EqualTo("idle_compute.device_not_found"));

        var devices = (await _world.QueryAsync("SELECT id, battery_percent, charging, last_seen_at, state, coalesce(state_reason, '') FROM idle_compute.devices",
            r => (Id: r.GetString(0), Battery: r.GetDouble(1), Charging: r.GetBoolean(2), Seen: r.GetFieldValue<DateTimeOffset>(3), State: r.GetString(4), Reason: r.GetString(5)))).ToDictionary(d => d.Id);
        for (var i = 0; i < 20; i++)
        {
            var device = devices[$"d{i}"];
            Assert.That(device.Battery, Is.EqualTo(i is 3 or 4 ? 50 : i), $"d{i}: what it said, or what was there before");
            Assert.That(device.Charging, Is.EqualTo(i is not (3 or 5)));
            Assert.That(device.Seen >= before.AddMilliseconds(-1), Is.EqualTo(i != 3), $"d{i} was seen {device.Seen}");
        }
        Assert.That((devices["d1"].State, devices["d1"].Reason), Is.EqualTo(("Eligible", "")), "a sign of life brings a lost device back");
        Assert.That((devices["d2"].State, devices["d2"].Reason), Is.EqualTo(("Ineligible", "on_battery")), "and does not overrule the owner's policy");
        Assert.That(devices["d3"].State, Is.EqualTo("Unregistered"));
    }

    [Test]
    public async Task The_last_of_many_beats_of_one_device_counts()
    {
        var owner = await _world.AccountAsync();
        await _world.DevicesAsync(owner, 1, 1);
        var seen = new List<(double Battery, bool Charging)>();
        for (var i = 0; i < 5; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(n => _world.SendAsync(new HeartbeatDeviceCommand { DeviceId = "d0", Battery = i * 20 + n % 20, IsCharging = n % 2 == 0 ? true : null }, owner)));
            seen.Add((await _world.QueryAsync("SELECT battery_percent, charging FROM idle_compute.devices", r => (r.GetDouble(0), r.GetBoolean(1)))).Single());
        }
        Assert.That(seen.Select((s, i) => s.Battery >= i * 20 && s.Battery < i * 20 + 20 && s.Charging), Is.All.True, string.Join(", ", seen));
        await _world.SendAsync(new HeartbeatDeviceCommand { DeviceId = "d0" }, owner);
        Assert.That((await _world.QueryAsync("SELECT battery_percent, charging FROM idle_compute.devices", r => (r.GetDouble(0), r.GetBoolean(1)))).Single(), Is.EqualTo(seen[^1]), "without figures the last ones stay");
    }

    [Test]
    public async Task Room_is_what_the_pool_says_it_is()
    {
        var account = await _world.AccountAsync();
        await _world.DevicesAsync(account, 2, 1);
        Assert.That((await _world.SubmitAsync(account, 1)).EstimatedStartTime, Is.Not.Null, "two devices are free");
        await _world.PassAsync();
        await _world.SubmitAsync(account, 5);
        Assert.That((await _world.PassAsync()).Placed, Is.EqualTo(1), "one slot was left");
        Assert.That((await _world.SubmitAsync(account, 1)).EstimatedStartTime, Is.Null, "none is free");
        Assert.That((await _world.PassAsync()).Placed, Is.Zero);
        await _world.ExecuteAsync("UPDATE idle_compute.devices SET slots = 2, state = CASE id WHEN 'd0' THEN 'Ineligible' ELSE state END");
        Assert.That((await _world.PassAsync()).Placed, Is.EqualTo(1), "on the one that takes leases");
        await _world.ExecuteAsync("UPDATE idle_compute.devices SET state = 'Eligible', offline_grace_seconds = 0, last_seen_at = last_seen_at - interval '2 days'");
        Assert.That((await _world.PassAsync()).Placed, Is.Zero, "silent devices have no room");
        Assert.That((await _world.SubmitAsync(account, 1)).EstimatedStartTime, Is.Null);
    }
}
