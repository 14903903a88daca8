using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence.Migrations;

/// <summary>Whether the schema is there. Readiness answers 503 until it is; recurring jobs wait for it.</summary>
public sealed class MigrationState
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Why it is not ready yet, in one sentence; null once it is.</summary>
    public string? Waiting { get; private set; } = "The database schema has not been checked yet.";

    public Task WaitAsync(CancellationToken cancel) => _ready.Task.WaitAsync(cancel);

    internal void Ready()
    {
        Waiting = null;
        _ready.TrySetResult();
    }

    internal void NotYet(string why)
    {
        if (!IsReady)
            Waiting = why;
    }
}

/// <summary>Migrates as soon as the database answers: a control plane may start before its database.</summary>
internal sealed partial class MigrationService(
    NpgsqlDataSource database, MigrationState state, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<MigrationService> log) : BackgroundService
{
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var reported = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Migrator.MigrateAsync(database, log, stoppingToken);
                state.Ready();
                return;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (MigrationRefusedException refused)
            {
                // Serving on a schema that does not fit would do harm, and no waiting mends it.
                state.NotYet(refused.Message);
                Refused(log, refused);
                Environment.ExitCode = 1;
                lifetime.StopApplication();
                return;
            }
            catch (Exception failure)
            {
                // Down, starting, wrong password, missing database: an operator can mend each while we wait.
                state.NotYet($"The database cannot be used yet: {failure.Message}");
                if (!reported)
                    Waiting(log, failure);
                reported = true;
            }
            await Task.Delay(RetryPeriod, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(21, LogLevel.Critical, "migration_refused The schema does not fit this build; stopping")]
    private static partial void Refused(ILogger logger, Exception failure);

    [LoggerMessage(22, LogLevel.Warning, "migration_waiting The database cannot be used yet; trying again every second, reported once")]
    private static partial void Waiting(ILogger logger, Exception failure);
}
