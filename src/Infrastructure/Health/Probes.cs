using FogCompute.Application.Health;
using FogCompute.Domain.Common;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.RecurringJobs;
using FogCompute.Infrastructure.Scheduler;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Health;

internal sealed class DatabaseOutages : IOutageTranslator
{
    public FogException? Translate(Exception failure) => DatabaseFailures.IsOutage(failure) ? DatabaseFailures.Unavailable(failure) : null;
}

/// <summary>A probe that asks the database something, in a scope and connection of its own.</summary>
internal abstract class SqlProbe(IServiceScopeFactory scopes) : IHealthProbe
{
    public abstract string Name { get; }

    public virtual bool IsVital => false;

    public async Task<HealthReport> CheckAsync(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        try
        {
            return await CheckAsync(scope.ServiceProvider.GetRequiredService<FogDbContext>(), cancel);
        }
        catch (Exception failure) when (DatabaseFailures.IsOutage(failure))
        {
            return new HealthReport(HealthStatus.Unavailable, "The database does not answer.");
        }
    }

    protected abstract Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel);
}

internal sealed class DatabaseProbe(IServiceScopeFactory scopes, TimeProvider clock) : SqlProbe(scopes)
{
    public override string Name => "database";
    public override bool IsVital => true;

    /// <summary>Beyond this, leases and deadlines that one clock sets and the other checks go wrong.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(5);

    protected override async Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel)
    {
        var (standby, theirs) = (await db.QuerySqlAsync("SELECT pg_is_in_recovery(), clock_timestamp()", r => (r.GetBoolean(0), r.GetFieldValue<DateTimeOffset>(1)), cancel)).Single();
        var ahead = theirs - clock.GetUtcNow();
        return standby ? new HealthReport(HealthStatus.Degraded, "The database answers but is a read-only standby.")
            : ahead.Duration() > ClockTolerance ? new HealthReport(HealthStatus.Degraded, $"Its clock is {ahead.Duration().TotalSeconds:0} s {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} this control plane's.")
            : new HealthReport(HealthStatus.Healthy, "Answers.");
    }
}

/// <summary>Recurring jobs: all run, none is paused, none failed the last time.</summary>
internal sealed class JobsProbe(IServiceScopeFactory scopes, IReadOnlyList<RecurringJob> jobs, TimeProvider clock) : SqlProbe(scopes)
{
    /// <summary>Beyond its period a job that neither runs nor has run is stuck: a schedule of a process that died is taken over in seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public override string Name => "jobs";

    protected override async Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        // Late is what should have run in the time of a control plane that is still there.
        var rows = await db.QuerySqlAsync(
            """
            SELECT n.name, j.last_finished_at IS NOT NULL, j.last_error IS NOT NULL, j.paused_at,
                coalesce(j.last_finished_at, '-infinity') < n.due AND EXISTS (SELECT FROM platform.servers s WHERE s.last_seen_at > $3 AND s.started_at < n.due)
                    AND NOT EXISTS (SELECT FROM platform.servers s WHERE s.last_seen_at > $3 AND n.name = ANY (s.running))
            FROM unnest($1, $2) AS n(name, due) LEFT JOIN platform.recurring_jobs j ON j.name = n.name ORDER BY n.name COLLATE "C"
            """,
            r => (Name: r.GetString(0), Finished: r.GetBoolean(1), Failed: r.GetBoolean(2), Paused: r.IsDBNull(3) ? (DateTimeOffset?)null : r.GetFieldValue<DateTimeOffset>(3), Late: r.GetBoolean(4)), cancel,
            jobs.Select(job => job.Name).ToArray(), jobs.Select(job => now - job.Period - Patience).ToArray(), now - JobOffice.Alive);
        string? Named(string what, IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? $"{what}: {list}." : null;
        var troubles = new[]
        {
            Named("PAUSED by an operator", rows.Where(r => r.Paused is not null).Select(r => $"{r.Name} (since {r.Paused:yyyy-MM-dd HH:mm} UTC)")),
            Named("Failed the last time", rows.Where(r => r.Failed).Select(r => r.Name)),
            Named("Should have run and has not", rows.Where(r => r is { Late: true, Paused: null }).Select(r => r.Name)),
        }.OfType<string>().ToList();
        return troubles.Count > 0 ? new HealthReport(HealthStatus.Degraded, string.Join(" ", troubles))
            : !rows.Any(r => r.Finished) ? new HealthReport(HealthStatus.Unknown, "No recurring job has finished yet.")
            : new HealthReport(HealthStatus.Healthy, $"{rows.Count} recurring jobs run without errors.");
    }
}

/// <summary>A part that is one recurring job: it must have run lately.</summary>
internal abstract class RecurringProbe(IServiceScopeFactory scopes, TimeProvider clock, string job, string what) : SqlProbe(scopes)
{
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(60);

    protected override async Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            "SELECT last_finished_at, last_error IS NOT NULL FROM platform.recurring_jobs WHERE name = $1",
            r => (Finished: r.IsDBNull(0) ? (DateTimeOffset?)null : r.GetFieldValue<DateTimeOffset>(0), Failed: r.GetBoolean(1)), cancel, job);
        if (rows is not [{ Finished: { } finished } row])
            return new HealthReport(HealthStatus.Unknown, $"No {what} has finished yet.");
        var age = clock.GetUtcNow() - finished;
        return row.Failed ? new HealthReport(HealthStatus.Degraded, $"The last {what} failed.")
            : age > Stale ? new HealthReport(HealthStatus.Unavailable, $"No {what} for {age.TotalSeconds:0} s.")
            : new HealthReport(HealthStatus.Healthy, $"Last {what} {Math.Max(0, age.TotalSeconds):0.0} s ago.");
    }
}

/// <summary>The scheduler is its placement pass.</summary>
internal sealed class SchedulerProbe(IServiceScopeFactory scopes, TimeProvider clock) : RecurringProbe(scopes, clock, "PlacePendingJobs", "placement pass")
{
    public override string Name => "scheduler";
}

/// <summary>Governance is the job that closes votes and executes what was carried.</summary>
internal sealed class DaoProbe(IServiceScopeFactory scopes, TimeProvider clock) : RecurringProbe(scopes, clock, "AdvanceProposals", "look at proposals")
{
    public override string Name => "dao";
}

/// <summary>Harvesting is lent machines doing work, or ready to.</summary>
internal sealed class HarvestProbe(IServiceScopeFactory scopes, TimeProvider clock) : SqlProbe(scopes)
{
    public override string Name => "harvest";

    protected override async Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel)
    {
        var (ready, working) = (await db.QuerySqlAsync(
            $"""
            SELECT (SELECT count(*) FROM idle_compute.devices WHERE unregistered_at IS NULL AND last_seen_at > $1),
                   (SELECT count(DISTINCT device_id) FROM scheduler.attempts WHERE state IN {QueueOrder.Live})
            """,
            r => (r.GetInt64(0), r.GetInt64(1)), cancel, clock.GetUtcNow().AddSeconds(-90))).Single();
        return ready == 0 ? new HealthReport(HealthStatus.Unknown, "No device is there to harvest.") : new HealthReport(HealthStatus.Healthy, $"{working} of {ready} devices work.");
    }
}

/// <summary>The edge is its devices: enrolled ones that were heard from lately.</summary>
internal sealed class EdgeProbe(IServiceScopeFactory scopes, TimeProvider clock) : SqlProbe(scopes)
{
    public override string Name => "edge";

    protected override async Task<HealthReport> CheckAsync(FogDbContext db, CancellationToken cancel)
    {
        var (known, heard) = (await db.QuerySqlAsync(
            "SELECT count(*), count(*) FILTER (WHERE last_seen_at > $1) FROM idle_compute.devices WHERE unregistered_at IS NULL",
            r => (r.GetInt64(0), r.GetInt64(1)), cancel, clock.GetUtcNow().AddSeconds(-90))).Single();
        return (known, heard) switch
        {
            (0, _) => new HealthReport(HealthStatus.Unknown, "No device is enrolled."),
            (_, 0) => new HealthReport(HealthStatus.Degraded, $"None of {known} devices was heard from in the last 90 s."),
            _ => new HealthReport(HealthStatus.Healthy, $"{heard} of {known} devices heard from in the last 90 s."),
        };
    }
}

public static class HealthServices
{
    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddHealthApplication();
        services.AddSingleton<IOutageTranslator, DatabaseOutages>();
        services.AddSingleton<IHealthProbe, DatabaseProbe>();
        services.AddSingleton<IHealthProbe, JobsProbe>();
        services.AddSingleton<IHealthProbe, SchedulerProbe>();
        services.AddSingleton<IHealthProbe, DaoProbe>();
        services.AddSingleton<IHealthProbe, HarvestProbe>();
        services.AddSingleton<IHealthProbe, EdgeProbe>();
        return services;
    }
}
