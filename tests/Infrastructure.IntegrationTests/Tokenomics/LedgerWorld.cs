using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Events;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Testing;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>A ledger on a real database, driven as the product drives it: events inside a unit of work, use cases through the pipeline.</summary>
internal sealed class LedgerWorld : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly ServiceProvider _services;
    private readonly string _home;

    private LedgerWorld(TestDatabase database, ServiceProvider services, TimeProvider time, string home)
    {
        _home = home;
        _database = database;
        _services = services;
        Time = time;
    }

    public TimeProvider Time { get; }

    public DateTimeOffset Now => Time.GetUtcNow();

    public NpgsqlDataSource DataSource => _database.DataSource;

    public string KeyFile => Path.Combine(_home, "ledger-key.pem");

    private static readonly TwoDevices Pool = new();

    /// <summary>One that takes work and one that does not.</summary>
    private sealed class TwoDevices : IPlacementPool
    {
        public Task<IReadOnlyList<PlacementDevice>> DevicesAsync(DateTimeOffset now, CancellationToken cancel) =>
            Task.FromResult<IReadOnlyList<PlacementDevice>>([Device("taking", null), Device("gone", "silent")]);

        public async Task<IReadOnlyList<PlacementDevice>> AvailableAsync(DateTimeOffset now, CancellationToken cancel) => [.. (await DevicesAsync(now, cancel)).Where(d => d.Unavailable is null)];

        public Task<bool> HasRoomAsync(DateTimeOffset now, CancellationToken cancel) => Task.FromResult(true);

        private static PlacementDevice Device(string id, string? unavailable) => new()
        {
            Id = id, Owner = Guid.Empty, CpuMillicores = 1000, MemoryBytes = 1 << 30, DiskBytes = null, Gpus = 0, Slots = 1, Isolation = new HashSet<Isolation>(), PayloadKinds = new HashSet<string>(),
            NetworkAllowed = false, Labels = new HashSet<string>(), Region = null, Trust = 1, Availability = 1, BenchmarkScore = null, Unavailable = unavailable,
        };
    }

    public static async Task<LedgerWorld> CreateAsync(TimeProvider? time = null, Action<IServiceCollection>? adjust = null)
    {
        time ??= TimeProvider.System;
        var database = await TestDatabase.CreateAsync();
        var home = Directory.CreateTempSubdirectory("fog-ledger-").FullName;
        var world = new LedgerWorld(database, database.BuildServices(s =>
        {
            s.AddTokenomics(Path.Combine(home, "ledger-key.pem")).AddSingleton<IPlacementPool>(Pool);
            adjust?.Invoke(s);
        }, time), time, home);
        // The ledger reads two columns of the scheduler; a stand-in with just these keeps its tests apart from that module's rules.
        await world.SqlAsync("DROP SCHEMA IF EXISTS scheduler CASCADE; CREATE SCHEMA scheduler; CREATE TABLE scheduler.jobs (id uuid PRIMARY KEY, state text NOT NULL)");
        return world;
    }

    /// <summary>One transaction in which these events happen, in order.</summary>
    public Task HappenAsync(params IDomainEvent[] events) => InTransactionAsync(async services =>
    {
        foreach (var happened in events)
            await services.GetRequiredService<IMediator>().Publish(happened);
        return 0;
    });

    public async Task<T> InTransactionAsync<T>(Func<IServiceProvider, Task<T>> work)
    {
        await using var scope = _services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(_ => work(scope.ServiceProvider), _ => Task.CompletedTask, CancellationToken.None);
    }

    public async Task<T> ReadAsync<T>(Func<IServiceProvider, Task<T>> work)
    {
        await using var scope = _services.CreateAsyncScope();
        return await work(scope.ServiceProvider);
    }

    public Task<T> SendAsync<T>(ICommand<T> command) => AsAsync(Caller.System, dispatcher => dispatcher.SendAsync(command));

    public Task<T> SendAsync<T>(IQuery<T> query, AccountId caller = default) =>
        AsAsync(caller == default ? Caller.System : new Caller(CallerKind.ApiKey, caller, null, Permissions.Member.ToHashSet()), dispatcher => dispatcher.SendAsync(query));

    /// <summary>As the account itself, with a member's permissions.</summary>
    public Task<T> SendAsync<T>(ICommand<T> command, AccountId caller) =>
        AsAsync(new Caller(CallerKind.ApiKey, caller, null, Permissions.Member.ToHashSet()), dispatcher => dispatcher.SendAsync(command));

    /// <summary>An answer that is read within its scope.</summary>
    public Task<T> SendAsync<TAnswer, T>(IQuery<TAnswer> query, AccountId caller, Func<TAnswer, Task<T>> read) =>
        AsAsync(caller == default ? Caller.System : new Caller(CallerKind.ApiKey, caller, null, Permissions.Member.ToHashSet()), async dispatcher => await read(await dispatcher.SendAsync(query)));

    private async Task<T> AsAsync<T>(Caller caller, Func<IDispatcher, Task<T>> send)
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = caller;
        return await send(scope.ServiceProvider.GetRequiredService<IDispatcher>());
    }

    /// <summary>The event runs before the identity row is saved, as in the product.</summary>
    public async Task<AccountId> OpenAccountAsync()
    {
        var account = AccountId.New(Now);
        await InTransactionAsync(async services =>
        {
            await services.GetRequiredService<IMediator>().Publish(new AccountOpened(account, AddressOf(account), Now));
            return await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync(
                "INSERT INTO identity.accounts (id, name, address, created_at) VALUES ($1, $2, $3, $4)", CancellationToken.None, account.Value, account.ToString(), AddressOf(account), Now);
        });
        return account;
    }

    public async Task<JobId> AdmitAsync(AccountId requester, long holdMicro)
    {
        var job = JobId.New(Now);
        await AdmitAsync(job, requester, holdMicro);
        return job;
    }

    public Task AdmitAsync(JobId job, AccountId requester, long holdMicro) => InTransactionAsync(async services =>
    {
        await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync(
            "INSERT INTO scheduler.jobs (id, state) VALUES ($1, 'Admitted') ON CONFLICT (id) DO NOTHING", CancellationToken.None, job.Value);
        await services.HoldAsync(new AdmittedJob(job, requester, holdMicro, Now, Now + TimeSpan.FromDays(7)));
        return 0;
    });

    public Task CloseAsync(JobId job, params IDomainEvent[] before) => InTransactionAsync(async services =>
    {
        await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync("UPDATE scheduler.jobs SET state = 'Completed' WHERE id = $1", CancellationToken.None, job.Value);
        foreach (var happened in before)
            await services.GetRequiredService<IMediator>().Publish(happened);
        await services.GetRequiredService<IMediator>().Publish(new JobClosed(job, Now));
        return 0;
    });

    /// <summary>A transfer is sealed once nothing older runs on the whole server, which other fixtures use too.</summary>
    public async Task SealAllAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        do
        {
            await Task.Delay(5, patience.Token);
            while ((await SendAsync(new SealJournalCommand())).Block is not null)
            {
            }
        }
        while ((await SendAsync(new AuditLedgerQuery())).Unsealed > 0);
    }

    /// <summary>As a superuser who has switched the triggers off.</summary>
    public Task TamperAsync(string sql) => SqlAsync("SET session_replication_role = replica; " + sql + "; SET session_replication_role = DEFAULT");

    public async Task SqlAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public static string AddressOf(AccountId account) => "fog1" + account.Value.ToString("N");

    public async Task<BalanceDto> BalanceAsync(AccountId account) => await SendAsync(new GetBalanceQuery(), account);

    /// <summary>Deadlocks PostgreSQL has broken up here. Closes the product's connections first, because a server process reports as it ends.</summary>
    public async Task<long> DeadlocksAsync()
    {
        await _services.DisposeAsync();
        for (var waited = 0; waited < 100; waited++)
        {
            if (await ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") == 0)
                break;
            await Task.Delay(50);
        }
        return await ScalarAsync<long>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }
}

internal static class Funds
{
    /// <summary>One hold; a refusal is thrown.</summary>
    public static async Task HoldAsync(this IServiceProvider services, AdmittedJob job)
    {
        if ((await services.GetRequiredService<IJobFunds>().HoldAsync([job], CancellationToken.None)).TryGetValue(job.Job, out var refusal))
            throw refusal;
    }
}
