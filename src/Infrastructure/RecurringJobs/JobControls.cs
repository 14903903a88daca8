using System.Collections.Concurrent;
using System.Diagnostics;
using FogCompute.Application.Operations;
using FogCompute.Application.Common.Messaging;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>
/// What operators want of the recurring jobs: which are paused, which shall run now. Both are rows, written by any control plane; each looks at them when
/// signalled and every second, so a lost signal costs a second.
/// </summary>
internal sealed partial class JobControls(IReadOnlyList<RecurringJob> jobs, JobLeadership leadership, NpgsqlDataSource database, ISignals signals, ILogger<JobControls> log) : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>What was handed over and waits after this long is handed over again: whoever took it may have lost the database before it could say so.</summary>
    private static readonly TimeSpan HandAgain = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Desk> _desks = jobs.ToDictionary(job => job.Name, job => new Desk(job), StringComparer.Ordinal);
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Desk Of(RecurringJob job) => _desks[job.Name];

    /// <summary>Completes when the pauses have been read for the first time.</summary>
    public Task KnownAsync(CancellationToken cancel) => _known.Task.WaitAsync(cancel);

    /// <param name="startSchedule">Starts a schedule's run that was asked for, false: not yet; being asked twice for one id must do no harm.</param>
    public async Task RunAsync(Func<RecurringJob, Guid, Task<bool>> startSchedule, CancellationToken stop)
    {
        var handed = new Dictionary<Guid, long>();
        while (!stop.IsCancellationRequested)
        {
            // Before looking.
            using var ticket = signals.Listen(OperationsTopics.RecurringJobs);
            try
            {
                var asked = await LookAsync(stop);
                _known.TrySetResult();
                foreach (var over in handed.Keys.Except(asked.Select(a => a.Id)).ToList())
                    handed.Remove(over);
                foreach (var (id, name) in asked.Where(a => _desks.ContainsKey(a.Job) && !(handed.TryGetValue(a.Id, out var at) && Stopwatch.GetElapsedTime(at) < HandAgain)))
                {
                    var desk = _desks[name];
                    if (desk.Job.Kind == RecurringKind.Schedule ? await startSchedule(desk.Job, id) : leadership.Leads(desk.Job))
                        handed[id] = Stopwatch.GetTimestamp();
                    else
                        continue;
                    if (desk.Job.Kind == RecurringKind.Pump)
                        desk.Ask(id);
                }
            }
            catch (Exception failure)
            {
                if (stop.IsCancellationRequested)
                    return;
                if (!DatabaseFailures.IsOutage(failure))
                    Failed(log, failure);
            }
            try
            {
                await ticket.WaitAsync(Period, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task<List<(Guid Id, string Job)>> LookAsync(CancellationToken cancel)
    {
        var paused = new HashSet<string>(StringComparer.Ordinal);
        var asked = new List<(Guid, string)>();
        await using (var command = database.CreateCommand(
            "SELECT name, NULL::uuid FROM platform.recurring_jobs WHERE paused_at IS NOT NULL UNION ALL SELECT job, id FROM platform.recurring_runs WHERE outcome = 'queued'"))
        await using (var reader = await command.ExecuteReaderAsync(cancel))
        {
            while (await reader.ReadAsync(cancel))
            {
                if (await reader.IsDBNullAsync(1, cancel))
                    paused.Add(reader.GetString(0));
                else
                    asked.Add((reader.GetGuid(1), reader.GetString(0)));
            }
        }
        foreach (var desk in _desks.Values)
            desk.SetPaused(paused.Contains(desk.Job.Name));
        return asked;
    }

    /// <summary>Whether the job is paused right now, by the row itself.</summary>
    public async Task<bool> IsPausedAsync(RecurringJob job, CancellationToken cancel)
    {
        await using var command = database.CreateCommand("SELECT paused_at IS NOT NULL FROM platform.recurring_jobs WHERE name = $1");
        command.Parameters.Add(new() { Value = job.Name });
        return await command.ExecuteScalarAsync(cancel) is true;
    }

    /// <summary>Takes a run that was asked for; false when another process has it or had it.</summary>
    /// <param name="again">It was taken by a process that died.</param>
    public async Task<bool> ClaimAsync(Guid id, ServerIdentity server, DateTimeOffset now, bool again, CancellationToken cancel)
    {
        await using var command = database.CreateCommand(
            "UPDATE platform.recurring_runs SET outcome = 'running', server = $2, host = $3, started_at = $4 WHERE id = $1 AND (outcome = 'queued' OR ($5 AND outcome IN ('running', 'interrupted')))");
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = server.Id });
        command.Parameters.Add(new() { Value = $"{server.Host}:{server.Pid}" });
        command.Parameters.Add(new() { Value = now });
        command.Parameters.Add(new() { Value = again });
        return await command.ExecuteNonQueryAsync(cancel) == 1;
    }

    public void Dispose()
    {
        foreach (var desk in _desks.Values)
            desk.Dispose();
    }

    /// <summary>Where the loop of a pump looks before each run.</summary>
    internal sealed class Desk(RecurringJob job) : IDisposable
    {
        private readonly ConcurrentQueue<Guid> _asked = new();
        private CancellationTokenSource _news = new();
        private volatile bool _paused;

        public RecurringJob Job => job;
        public bool IsPaused => _paused;

        /// <summary>Cancelled when there is something new here. Take it before looking.</summary>
        public CancellationToken News => Volatile.Read(ref _news).Token;

        public bool TryTake(out Guid id) => _asked.TryDequeue(out id);

        /// <summary>Being asked again for a run that waits here already does nothing.</summary>
        public void Ask(Guid id)
        {
            if (!_asked.Contains(id))
                _asked.Enqueue(id);
            Wake();
        }

        public void SetPaused(bool paused)
        {
            if (_paused == paused)
                return;
            _paused = paused;
            Wake();
        }

        public void Dispose() => Volatile.Read(ref _news).Dispose();

        private void Wake() => Interlocked.Exchange(ref _news, new CancellationTokenSource()).Cancel();
    }

    [LoggerMessage(46, LogLevel.Warning, "recurring_controls_not_read")]
    private static partial void Failed(ILogger logger, Exception failure);
}
