using FogCompute.Application.Operations;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>The table in code and what the database knows of it.</summary>
internal sealed class JobOffice(FogDbContext db, IReadOnlyList<RecurringJob> jobs) : IRecurringJobs
{
    private const int Recent = 24;

    /// <summary>Servers write every two seconds.</summary>
    internal static readonly TimeSpan Alive = TimeSpan.FromSeconds(10);

    public bool Knows(string name) => jobs.Any(job => job.Name == name);

    public async Task<IReadOnlyList<RecurringJobItem>> ListAsync(string? name, DateTimeOffset now, CancellationToken cancel)
    {
        var wanted = jobs.Where(job => name is null || job.Name == name).ToDictionary(job => job.Name, StringComparer.Ordinal);
        return await db.QuerySqlAsync(
            $"""
            SELECT n.name, j.last_started_at, j.last_finished_at, j.last_error, coalesce(j.runs, 0), coalesce(j.failures, 0), j.last_duration_ms, j.p50_ms, j.p95_ms, j.paused_at,
                account.name, server.name,
                EXISTS (SELECT FROM platform.servers s WHERE n.name = ANY (s.running) AND s.last_seen_at > $2),
                quartz.next_fire_time,
                ARRAY(SELECT r.duration_ms FROM (SELECT id, duration_ms FROM platform.recurring_runs WHERE job = n.name AND duration_ms IS NOT NULL ORDER BY id DESC LIMIT {Recent}) AS r ORDER BY r.id)
            FROM unnest($1::text[]) AS n(name)
            LEFT JOIN platform.recurring_jobs j ON j.name = n.name
            LEFT JOIN identity.accounts account ON account.id = j.paused_by
            LEFT JOIN LATERAL (
                SELECT s.host || ':' || s.pid AS name FROM platform.servers s
                WHERE s.last_seen_at > $2 AND (n.name = ANY (s.leads) OR s.id = j.last_server) ORDER BY n.name = ANY (s.leads) DESC LIMIT 1) AS server ON true
            LEFT JOIN {QuartzSchedules.TablePrefix}triggers quartz ON quartz.trigger_group = '{QuartzSchedules.Group}' AND quartz.trigger_name = n.name AND quartz.trigger_state IN ('WAITING', 'ACQUIRED')
            ORDER BY n.name COLLATE "C"
            """,
            r =>
            {
                var job = wanted[r.GetString(0)];
                DateTimeOffset? At(int column) => r.IsDBNull(column) ? null : r.GetFieldValue<DateTimeOffset>(column);
                double? Number(int column) => r.IsDBNull(column) ? null : Math.Round(r.GetDouble(column), 3);
                string? Text(int column) => r.IsDBNull(column) ? null : r.GetString(column);
                var error = Text(3);
                return new RecurringJobItem
                {
                    Name = job.Name, Kind = RunHistory.Word(job.Kind), Why = job.Why, Schedule = InWords(job), PeriodSeconds = job.Period.TotalSeconds, Server = Text(11), Running = r.GetBoolean(12),
                    LastRun = At(1) is { } started && At(2) is not null ? new RecurringLastRun(started, Number(6), error is null ? "succeeded" : "failed", error) : null,
                    NextRun = At(9) is null && !r.IsDBNull(13) ? new DateTimeOffset(r.GetInt64(13), TimeSpan.Zero) : null,
                    Paused = At(9) is not null, PausedSince = At(9), PausedBy = Text(10), Runs = r.GetInt64(4), Failures = r.GetInt64(5), P50Ms = Number(7), P95Ms = Number(8),
                    Recent = [.. r.GetFieldValue<double[]>(14).Select(d => Math.Round(d, 3))],
                };
            }, cancel, wanted.Keys.ToArray(), now - Alive);
    }

    /// <summary>When the row runs, for people.</summary>
    internal static string InWords(RecurringJob job)
    {
        var every = "every " + job.Period switch
        {
            { TotalSeconds: 1 } => "second",
            { TotalSeconds: < 60 } => $"{job.Period.TotalSeconds:0.###} s",
            { TotalMinutes: 1 } => "minute",
            { TotalMinutes: < 60 } => $"{job.Period.TotalMinutes:0.#} min",
            { TotalHours: 1 } => "hour",
            _ => $"{job.Period.TotalHours:0.#} h",
        };
        return job.Topic is null ? every : $"when signalled, else {every}";
    }

    public async Task<IReadOnlyList<RecurringRun>> RunsAsync(string name, Guid? after, int limit, CancellationToken cancel) => await db.QuerySqlAsync(
        """
        SELECT r.id, r.trigger, r.outcome, r.host, r.started_at, r.duration_ms, r.runs, a.name, r.error_type, r.error_message, r.error_trace
        FROM platform.recurring_runs r LEFT JOIN identity.accounts a ON a.id = r.asked_by
        WHERE r.job = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3
        """,
        r => new RecurringRun(
            r.GetGuid(0), r.GetString(1), r.GetString(2), r.IsDBNull(3) ? null : r.GetString(3), r.IsDBNull(4) ? null : r.GetFieldValue<DateTimeOffset>(4),
            r.IsDBNull(5) ? null : Math.Round(r.GetDouble(5), 3), r.GetInt32(6), r.IsDBNull(7) ? null : r.GetString(7),
            r.IsDBNull(8) ? null : new RecurringError(r.GetString(8), r.GetString(9), r.GetString(10))),
        cancel, name, Sql.Typed(after, NpgsqlDbType.Uuid), limit);

    public Task AskAsync(string name, Guid run, Guid? account, CancellationToken cancel) => db.ExecuteSqlAsync(
        "INSERT INTO platform.recurring_runs (id, job, trigger, outcome, asked_by) VALUES ($1, $2, 'manual', 'queued', $3)", cancel, run, name, Sql.Typed(account, NpgsqlDbType.Uuid));

    public async Task<bool> PauseAsync(string name, DateTimeOffset? since, Guid? account, CancellationToken cancel) => await db.ExecuteSqlAsync(
        """
        INSERT INTO platform.recurring_jobs AS j (name, paused_at, paused_by) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by WHERE (j.paused_at IS NULL) <> (excluded.paused_at IS NULL)
        """, cancel, name, Sql.Typed(since, NpgsqlDbType.TimestampTz), Sql.Typed(since is null ? null : account, NpgsqlDbType.Uuid)) == 1;

    public Task ForgetAsync(DateTimeOffset before, int most, DateTimeOffset silentSince, CancellationToken cancel) => db.ExecuteSqlAsync(
    [
        ("""
         UPDATE platform.recurring_runs SET outcome = 'interrupted'
         WHERE outcome = 'running' AND started_at < $1 AND NOT EXISTS (SELECT FROM platform.servers s WHERE s.id = server AND s.last_seen_at > $1)
         """, [silentSince]),
        ("""
         DELETE FROM platform.recurring_runs WHERE id IN (
             SELECT id FROM (SELECT id, started_at, outcome, row_number() OVER (PARTITION BY job ORDER BY id DESC) AS nth FROM platform.recurring_runs) AS r
             WHERE (started_at < $1 OR nth > $2) AND outcome NOT IN ('queued', 'running'))
         """, [before, most]),
        ("DELETE FROM platform.servers WHERE last_seen_at < $1 - interval '1 hour'", [silentSince]),
    ], cancel);
}
