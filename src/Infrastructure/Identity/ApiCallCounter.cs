using System.Collections.Concurrent;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence.Migrations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Identity;

/// <summary>
/// Counts requests in memory and adds them to the day's rows each second, all accounts in one statement, whose answer says what all processes
/// have counted. A process that is killed loses its last second; several processes may together pass a limit by what they count in one.
/// </summary>
internal sealed partial class ApiCallCounter(NpgsqlDataSource database, MigrationState migrations, TimeProvider time, ILogger<ApiCallCounter> log) : BackgroundService, IApiCalls
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(AccountId Account, DateOnly Day), Counter> _counters = new();

    public bool TryCount(AccountId account, long? limit, out long used)
    {
        var name = (account, Plans.DayOf(time.GetUtcNow()));
        while (true)
        {
            var counter = _counters.GetOrAdd(name, static _ => new Counter());
            lock (counter)
            {
                if (counter.Gone)
                    continue; // Removed between the look and the lock.
                used = counter.Written + counter.Pending;
                if (used >= limit)
                    return false;
                counter.Pending++;
                return true;
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await migrations.WaitAsync(stoppingToken);
            while (true)
            {
                await Task.Delay(Period, time, stoppingToken);
                await FlushAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The rest is written by StopAsync.
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (migrations.IsReady)
            await FlushAsync(cancellationToken);
    }

    internal async Task FlushAsync(CancellationToken cancel)
    {
        var today = Plans.DayOf(time.GetUtcNow());
        var taken = new List<(AccountId Account, DateOnly Day, Counter Counter, long Calls)>();
        foreach (var ((account, day), counter) in _counters)
        {
            lock (counter)
            {
                if (counter.Pending > 0)
                    taken.Add((account, day, counter, counter.Pending));
                else if (day < today)
                    counter.Gone = _counters.TryRemove((account, day), out _);
            }
        }
        if (taken.Count == 0)
            return;
        try
        {
            // In one order, so that two processes never wait for each other.
            await using var command = database.CreateCommand(
                """
                INSERT INTO identity.usage AS u (day, account, api_calls) SELECT * FROM unnest($1, $2, $3) AS c (day, account, calls) ORDER BY 1, 2
                ON CONFLICT (day, account) DO UPDATE SET api_calls = u.api_calls + excluded.api_calls
                RETURNING day, account, api_calls
                """);
            command.Parameters.Add(new NpgsqlParameter { Value = taken.Select(t => t.Day).ToArray() });
            command.Parameters.Add(new NpgsqlParameter { Value = taken.Select(t => t.Account.Value).ToArray() });
            command.Parameters.Add(new NpgsqlParameter { Value = taken.Select(t => t.Calls).ToArray() });
            var written = new Dictionary<(AccountId, DateOnly), long>();
            await using (var rows = await command.ExecuteReaderAsync(cancel))
            {
                while (await rows.ReadAsync(cancel))
                    written[(new AccountId(rows.GetGuid(1)), rows.GetFieldValue<DateOnly>(0))] = rows.GetInt64(2);
            }
            foreach (var (account, day, counter, calls) in taken)
            {
                lock (counter)
                {
                    counter.Pending -= calls;
                    counter.Written = written[(account, day)];
                }
            }
        }
        catch (Exception failure) when (failure is NpgsqlException or IOException or TimeoutException)
        {
            // They stay pending and are written with the next second's.
            NotWritten(log, failure, taken.Count);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "api_calls_not_written {accounts}")]
    private static partial void NotWritten(ILogger logger, Exception failure, int accounts);

    private sealed class Counter
    {
        public long Pending;
        public long Written;
        public bool Gone;
    }
}
