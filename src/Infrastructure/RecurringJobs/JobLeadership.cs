using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>
/// Keeps each pump of the table to one process at a time. One connection per process holds a session-level advisory lock for every pump it leads,
/// for as long as it lives, so a run costs nothing extra; the server frees the locks the moment the process or its connection ends, and the
/// others try for them every second.
/// <para>
/// The token of a lead is cancelled when the connection breaks. The command that was running then has a moment in which another process may
/// start the same one: that is why recurring commands are idempotent and lock the rows they change.
/// </para>
/// </summary>
internal sealed partial class JobLeadership(DatabaseHost host, IReadOnlyList<RecurringJob> jobs, ILogger<JobLeadership> log)
{
    /// <summary>First half of the locks' keys: "FOGR".</summary>
    private const int LockClass = 0x464F4752;
    private const int AnswerSeconds = 3;

    private static readonly TimeSpan TryPeriod = TimeSpan.FromSeconds(1);

    private readonly List<RecurringJob> _pumps = [.. jobs.Where(job => job.Kind == RecurringKind.Pump)];

    private readonly Dictionary<string, TaskCompletionSource<CancellationToken>> _leads =
        jobs.Where(job => job.Kind == RecurringKind.Pump).ToDictionary(job => job.Name, _ => NewLead(), StringComparer.Ordinal);

    private readonly Lock _gate = new();

    /// <summary>Completes when this process leads the row; the token is cancelled when it no longer does.</summary>
    public async Task<CancellationToken> LeadAsync(RecurringJob job, CancellationToken cancel)
    {
        Task<CancellationToken> lead;
        lock (_gate)
            lead = _leads[job.Name].Task;
        return await lead.WaitAsync(cancel);
    }

    public bool Leads(RecurringJob job)
    {
        lock (_gate)
            return _leads.GetValueOrDefault(job.Name)?.Task.IsCompleted == true;
    }

    public async Task RunAsync(CancellationToken stop)
    {
        var reported = false;
        while (_pumps.Count > 0 && !stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = host.CreateDedicatedConnection("fogcompute recurring jobs");
                await connection.OpenAsync(stop);
                reported = false;
                await HoldAsync(connection, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                if (!reported)
                    Lost(log, failure);
                reported = true;
            }
            await Task.Delay(TryPeriod / 2, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task HoldAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        using var lost = new CancellationTokenSource();
        try
        {
            while (true)
            {
                await TakeAsync(connection, lost.Token, stop);
                // Reading meanwhile notices the end of the connection at once.
                await connection.WaitAsync(TryPeriod, stop);
            }
        }
        finally
        {
            lock (_gate)
            {
                foreach (var name in _leads.Keys.Where(name => _leads[name].Task.IsCompleted).ToList())
                    _leads[name] = NewLead();
            }
            await lost.CancelAsync();
        }
    }

    /// <summary>Tries for the rows that others lead; with none left it is the sign of life that the connection needs.</summary>
    private async Task TakeAsync(NpgsqlConnection connection, CancellationToken lost, CancellationToken stop)
    {
        List<RecurringJob> missing;
        lock (_gate)
            missing = _pumps.Where(job => !_leads[job.Name].Task.IsCompleted).ToList();
        await using var command = new NpgsqlCommand("SELECT name FROM unnest($2, $3) AS r(name, id) WHERE pg_try_advisory_lock($1, id)", connection)
        {
            CommandTimeout = AnswerSeconds,
            Parameters =
            {
                new() { Value = LockClass }, new() { Value = missing.ConvertAll(job => job.Name).ToArray() }, new() { Value = missing.ConvertAll(job => job.LockId).ToArray() },
            },
        };
        var taken = new List<string>();
        await using (var reader = await command.ExecuteReaderAsync(stop))
        {
            while (await reader.ReadAsync(stop))
                taken.Add(reader.GetString(0));
        }
        lock (_gate)
        {
            foreach (var name in taken)
                _leads[name].TrySetResult(lost);
        }
        foreach (var name in taken)
            Leading(log, name);
    }

    private static TaskCompletionSource<CancellationToken> NewLead() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(40, LogLevel.Debug, "recurring_job_leading {job}")]
    private static partial void Leading(ILogger logger, string job);

    [LoggerMessage(41, LogLevel.Warning, "recurring_jobs_paused This process cannot hold its recurring jobs; trying again, reported once")]
    private static partial void Lost(ILogger logger, Exception failure);
}
