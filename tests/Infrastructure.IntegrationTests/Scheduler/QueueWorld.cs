using System.Security.Cryptography;
using FogCompute.Application.Artifacts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Events;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Artifacts;
using FogCompute.Infrastructure.IntegrationTests.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Scheduler;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Protocol;
using FogCompute.Testing;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>
/// The scheduler on a real database, driven through its use cases; recurring commands run when the test says so. Devices are rows, and the test reports
/// for them with their keys.
/// </summary>
internal sealed class QueueWorld : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly ServiceProvider _services;
    private readonly string _home = Directory.CreateTempSubdirectory("fog-queue-test-").FullName;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private QueueWorld(TestDatabase database, SchedulerOptions options, TimeProvider time, Action<IServiceCollection>? adjust)
    {
        _database = database;
        Time = time;
        _services = database.BuildServices(
            // Audits are chosen by chance; a generator that never says so keeps counts exact.
            s =>
            {
                // Plans are tested over HTTP; jobs here are as large as the queue's limits.
                s.AddSingleton(new Plans(PlanLimits.None, PlanLimits.None, PlanLimits.None));
                s.AddScheduler(options).AddTokenomics(Path.Combine(_home, "ledger-key.pem")).AddArtifacts(new ArtifactOptions(_home, 1 << 20)).AddScoped<Random, NeverAudits>();
                adjust?.Invoke(s);
            },
            time);
    }

    public string ConnectionString => _database.ConnectionString;
    public TimeProvider Time { get; }
    public DateTimeOffset Now => Time.GetUtcNow();

    public static async Task<QueueWorld> CreateAsync(SchedulerOptions? options = null, TimeProvider? time = null, Action<IServiceCollection>? adjust = null) =>
        new(await TestDatabase.CreateAsync(), options ?? new SchedulerOptions(), time ?? TimeProvider.System, adjust);

    /// <summary>Puts a value in force as the execution of a proposal does: set, commit, signal.</summary>
    public Task SetAsync(ParameterDefinition parameter, long value) => _services.SetParameterAsync(parameter, value, Now);

    public async Task<RehearsalAnswer?> LatestRehearsalAsync(string proposal)
    {
        await using var scope = _services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IRehearsals>().LatestAsync(proposal, CancellationToken.None);
    }

    /// <summary>An account with what the faucet gives: 100 credits.</summary>
    public async Task<AccountId> AccountAsync()
    {
        var account = AccountId.New(Now);
        var address = "fog1" + account.Value.ToString("N");
        await using var scope = _services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(async cancel =>
        {
            await scope.ServiceProvider.GetRequiredService<IMediator>().Publish(new AccountOpened(account, address, Now), cancel);
            return await scope.ServiceProvider.GetRequiredService<FogDbContext>().ExecuteSqlAsync(
                "INSERT INTO identity.accounts (id, name, address, created_at) VALUES ($1, $2, $3, $4)", cancel, account.Value, address, address, Now);
        }, _ => Task.CompletedTask, CancellationToken.None);
        return account;
    }

    /// <summary>Devices <c>d0</c>, <c>d1</c>, … that take any builtin job, each with this many slots.</summary>
    public async Task DevicesAsync(AccountId owner, int count, int slots)
    {
        await using var command = _database.DataSource.CreateCommand(
            """
            INSERT INTO idle_compute.devices (id, account_id, type, key_hash, public_key, cpu_millicores, memory_bytes, disk_bytes, gpus, slots, isolation_levels, payload_kinds, network_allowed,
                labels, offline_grace_seconds, state, registered_at, last_seen_at, last_poll_at, tasks_completed, compute_ms, reputation_right, reputation_wrong, reputation_at,
                verified_streak, losses, evictions)
            SELECT 'd' || i, $1, 'Desktop', sha256(('d' || i)::bytea), $2, 1000 * $3, 1::bigint << 40, 1::bigint << 50, 0, $3, '{Process,Sandbox}', '{builtin}', false,
                '{}', 86400, 'Eligible', $4, $4 + interval '1 day', $4, 0, 0, 1000, 0, $4, 0, 0, 0
            FROM generate_series(0, $5 - 1) AS i
            """);
        foreach (var value in new object[] { owner.Value, _key.ExportSubjectPublicKeyInfo(), slots, Now, count })
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync();
    }

    public Task<SubmitJobResult> SubmitAsync(AccountId account, int tasks, int? maxConcurrent = null, int priority = 50, SlaTier tier = SlaTier.Bronze, Guid[]? after = null, double cores = 0.01) =>
        SendAsync(new SubmitJobCommand
        {
            Name = "job", SlaTier = tier, Priority = priority, CpuRequired = cores, MemoryRequired = 1, DurationEstimate = 0.001, DependsOn = after ?? [],
            Payload = new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.DeviceBenchmark },
            Array = new ArraySpec { Count = tasks, MaxConcurrent = maxConcurrent },
        }, account);

    public Task<PlacementPassResult> PassAsync() => SendAsync(new PlacePendingJobsCommand());

    public Task<RecurringOutcome> WriteTasksAsync() => SendAsync(new WriteNextTasksCommand());

    public Task SpeculateAsync() => SendAsync(new SpeculateOnStragglersCommand());

    public Task<JobDetail> JobAsync(Guid job) => SendAsync(new GetJobQuery(job));

    public Task<JobWhy> WhyAsync(Guid job) => SendAsync(new GetJobWhyQuery(job));

    /// <summary>Live leases in order of lease, of one job or all.</summary>
    public Task<List<Lease>> LeasesAsync(Guid? job = null) => QueryAsync(
        """
        SELECT a.id, a.job_id, a.task_index, a.device_id, a.epoch FROM scheduler.attempts a
        WHERE a.state IN ('Leased', 'Staging', 'Running', 'Uploading') AND ($1::uuid IS NULL OR a.job_id = $1) ORDER BY a.leased_at, a.job_id, a.task_index, a.device_id
        """,
        r => new Lease(r.GetGuid(0), r.GetGuid(1), r.GetInt32(2), r.GetString(3), r.GetInt32(4)), job is { } id ? id : DBNull.Value);

    /// <summary>Every one of these ends well with this digest, in batches per device as an agent sends them.</summary>
    public async Task ReportAsync(IEnumerable<Lease> leases, char digest = 'a', long wallMs = 10)
    {
        foreach (var batch in leases.GroupBy(l => l.Device).SelectMany(g => g.Chunk(256)))
        {
            var items = batch.Select(lease =>
            {
                var report = new AttemptReport
                {
                    AttemptId = lease.Attempt, Epoch = lease.Epoch, Outcome = AttemptOutcomes.Succeeded, ExitCode = 0, OutputDigest = new string(digest, 64), WallMs = wallMs,
                    StartedAt = Now, FinishedAt = Now,
                };
                return report with { Signature = Receipt.Sign(_key, lease.Device, report) };
            });
            await SendAsAsync(new RecordReportsCommand { DeviceId = batch[0].Device, Items = [.. items] }, new Caller(CallerKind.Device, default, batch[0].Device, Permissions.Device.ToHashSet()));
        }
    }

    public Task<T> SendAsync<T>(ICommand<T> command, AccountId account = default) => SendAsAsync(command, As(account));

    public async Task<T> SendAsync<T>(IQuery<T> query, AccountId account = default)
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = As(account);
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(query);
    }

    public async Task<T> SendAsAsync<T>(ICommand<T> command, Caller caller)
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = caller;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command);
    }

    private static Caller As(AccountId account) => account == default ? Caller.System : new Caller(CallerKind.ApiKey, account, null, Permissions.Member.ToHashSet());

    /// <summary>The queue as a use case sees it, in a transaction of its own.</summary>
    public async Task<T> WithQueueAsync<T>(Func<IJobQueue, CancellationToken, Task<T>> work)
    {
        await using var scope = _services.CreateAsyncScope();
        var queue = scope.ServiceProvider.GetRequiredService<IJobQueue>();
        return await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(cancel => work(queue, cancel), _ => Task.CompletedTask, CancellationToken.None);
    }

    public async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> map, params object[] values)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
            rows.Add(map(reader));
        return rows;
    }

    public async Task<T> ScalarAsync<T>(string sql, params object[] values) => (await QueryAsync(sql, r => r.GetFieldValue<T>(0), values)).Single();

    public async Task ExecuteAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Nothing is held any more for this job, and its charges are what its settlements say.</summary>
    public async Task AssertSettledAsync(Guid job)
    {
        var (remaining, settled) = (await QueryAsync("SELECT remaining, settled FROM tokenomics.holds WHERE job_id = $1", r => (r.GetInt64(0), r.GetInt64(1)), job)).Single();
        var (charged, succeeded) = (await QueryAsync("SELECT charged_micro, tasks_succeeded FROM scheduler.jobs WHERE id = $1", r => (r.GetInt64(0), r.GetInt32(1)), job)).Single();
        var settlements = await ScalarAsync<long>("SELECT count(*) FROM tokenomics.transfers WHERE job_id = $1 AND kind = 'Settlement'", job);
        Assert.Multiple(() =>
        {
            Assert.That(remaining, Is.Zero, "left in the hold");
            Assert.That(settled, Is.EqualTo(charged));
            Assert.That(settlements, Is.EqualTo(succeeded), "each accepted task is settled once");
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
        _key.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private sealed class NeverAudits : Random
    {
        public override double NextDouble() => 0.999;
    }
}

internal sealed record Lease(Guid Attempt, Guid Job, int Task, string Device, int Epoch);
