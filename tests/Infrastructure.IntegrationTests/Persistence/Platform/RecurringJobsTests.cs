using System.Collections.Concurrent;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.RecurringJobs;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;

[NonParallelizable] // Counts runs in real time.
[TestFixture]
public sealed class RecurringJobsTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private TestDatabase _database = null!;

    [SetUp]
    public async Task SetUp() => _database = await TestDatabase.CreateAsync();

    [TearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [Test]
    public async Task Runs_at_start_then_by_its_period_as_the_system_caller()
    {
        var time = new ManualTimeProvider();
        var work = new TestWork();
        using var host = await StartAsync(work, [Job("j", Hour)], time);
        await Eventually.TrueAsync(() => work.RunsOf("j") == 1, "first run");
        await Eventually.TrueAsync(() => time.IsPendingIn(Hour), "it sleeps until the next");
        time.Advance(Hour - TimeSpan.FromSeconds(1));
        await Task.Delay(100);
        Assert.That(work.RunsOf("j"), Is.EqualTo(1));
        time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.TrueAsync(() => work.RunsOf("j") == 2, "second run");
        await Eventually.TrueAsync(() => time.IsPendingIn(Hour), "it sleeps again");
        Assert.That(work.Callers, Has.All.EqualTo(CallerKind.System));
        await host.StopAsync();
        Assert.That(await ScalarAsync("SELECT runs FROM platform.recurring_jobs WHERE name = 'j' AND last_error IS NULL AND failures = 0 AND last_finished_at >= last_started_at"), Is.EqualTo(2L));
    }

    [Test]
    public async Task Runs_when_its_topic_is_signalled()
    {
        var work = new TestWork();
        using var host = await StartAsync(work, [Job("j", Hour, "go")]);
        await CalmAsync(work);
        for (var i = 0; i < 10; i++)
        {
            var runs = work.RunsOf("j");
            host.Services.GetRequiredService<ISignals>().Publish("go");
            await Eventually.TrueAsync(() => work.RunsOf("j") > runs, $"run {i}");
        }
        await host.StopAsync();
    }

    [Test]
    public async Task A_signal_during_a_run_starts_another_one()
    {
        var work = new TestWork();
        var inside = new SemaphoreSlim(0);
        var go = new SemaphoreSlim(0);
        work.Body = async (_, cancel) =>
        {
            inside.Release();
            await go.WaitAsync(cancel);
            return new TestAnswer(default, 0);
        };
        using var host = await StartAsync(work, [Job("j", Hour, "go")]);
        await inside.WaitAsync();
        host.Services.GetRequiredService<ISignals>().Publish("go");
        go.Release();
        Assert.That(await inside.WaitAsync(TimeSpan.FromSeconds(60)), Is.True);
        go.Release();
        await host.StopAsync();
    }

    [Test]
    public async Task Runs_again_at_once_while_there_is_more_to_do()
    {
        var work = new TestWork();
        work.Body = (_, _) => Task.FromResult(new TestAnswer(default, 0, MoreToDo: work.RunsOf("j") < 5));
        using var host = await StartAsync(work, [Job("j", Hour)]);
        await Eventually.TrueAsync(() => work.RunsOf("j") == 5, "five runs");
        await Task.Delay(100);
        Assert.That(work.RunsOf("j"), Is.EqualTo(5));
        await host.StopAsync();
    }

    [Test]
    public async Task A_storm_of_signals_is_bounded_and_its_last_signal_is_seen()
    {
        var work = new TestWork();
        using var host = await StartAsync(work, [Job("j", Hour, "go")]);
        await CalmAsync(work);
        var signals = host.Services.GetRequiredService<ISignals>();
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds < 1)
        {
            signals.Publish("go");
            await Task.Yield();
        }
        var (runs, seconds) = (work.RunsOf("j"), System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds);
        await TestContext.Out.WriteLineAsync($"{runs} runs in {seconds:0.00} s of constant signals");
        Assert.That(runs, Is.InRange(2, 210 * seconds));
        var before = await CalmAsync(work);
        signals.Publish("go");
        await Eventually.TrueAsync(() => work.RunsOf("j") > before, "the last signal");
        await host.StopAsync();
    }

    [Test]
    public async Task A_failure_is_logged_recorded_and_tried_again_after_a_pause()
    {
        var work = new TestWork();
        var log = new CollectingLogs();
        var broken = true;
        work.Body = (_, _) => Volatile.Read(ref broken) ? throw new InvalidOperationException("broken gear") : Task.FromResult(new TestAnswer(default, 0));
        using var host = await StartAsync(work, [Job("j", Hour)], configure: services => services.AddSingleton<ILoggerProvider>(log));
        var health = host.Services.GetRequiredService<RecurringJobsHealth>();
        await Eventually.TrueAsync(() => work.RunsOf("j") >= 3, "it is tried again");
        await Eventually.TrueAsync(() => health.Jobs[0].LastError == "broken gear", "health shows it");
        await Eventually.TrueAsync(async () => await ScalarAsync("SELECT last_error FROM platform.recurring_jobs WHERE name = 'j'") is "broken gear", "the table shows it");
        Volatile.Write(ref broken, false);
        await Eventually.TrueAsync(() => health.Jobs[0].LastError is null, "recovered");
        var failed = work.RunsOf("j") - 1;
        await Eventually.TrueAsync(
            async () => await ScalarAsync($"SELECT runs FROM platform.recurring_jobs WHERE name = 'j' AND failures = {failed} AND last_error IS NULL") is long runs && runs == failed + 1, "recorded");
        Assert.That(log.Lines.Count(line => line.Level == LogLevel.Error && line.Failure?.Message == "broken gear"), Is.EqualTo(failed));
        await host.StopAsync();
    }

    [Test]
    public async Task Runs_on_one_process_only_and_another_takes_over_when_it_ends()
    {
        var one = new TestWork();
        var two = new TestWork();
        var inFlight = 0;
        var most = 0;
        one.Body = two.Body = async (_, cancel) =>
        {
            var now = Interlocked.Increment(ref inFlight);
            InterlockedMax(ref most, now);
            try
            {
                await Task.Delay(5, cancel);
            }
            finally
            {
                Interlocked.Decrement(ref inFlight);
            }
            return new TestAnswer(default, 0);
        };
        using var first = await StartAsync(one, [Job("j", TimeSpan.FromMilliseconds(20), "go")]);
        await Eventually.TrueAsync(() => one.RunsOf("j") > 3, "the first leads");
        using var second = await StartAsync(two, [Job("j", TimeSpan.FromMilliseconds(20), "go")]);
        await Task.Delay(1500);
        Assert.That(two.RunsOf("j"), Is.Zero);
        Assert.That(second.Services.GetRequiredService<RecurringJobsHealth>().Jobs[0].IsLeader, Is.False);

        var ended = System.Diagnostics.Stopwatch.GetTimestamp();
        await first.StopAsync();
        await Eventually.TrueAsync(() => two.RunsOf("j") > 0, "the second takes over");
        await TestContext.Out.WriteLineAsync($"taken over after {System.Diagnostics.Stopwatch.GetElapsedTime(ended).TotalMilliseconds:0} ms");
        Assert.That(second.Services.GetRequiredService<RecurringJobsHealth>().Jobs[0].IsLeader, Is.True);
        Assert.That(most, Is.EqualTo(1));
        await second.StopAsync();
    }

    /// <summary>A process that stops finishes the command that runs, and nobody else runs that job before.</summary>
    [Test]
    public async Task Finishes_what_runs_when_the_process_stops_and_only_then_lets_another_lead()
    {
        var work = new TestWork();
        var inside = new SemaphoreSlim(0);
        var go = new SemaphoreSlim(0);
        work.Body = async (_, cancel) =>
        {
            inside.Release();
            await go.WaitAsync(cancel);
            return new TestAnswer(default, 0);
        };
        using var host = await StartAsync(work, [Job("j", Hour)]);
        await inside.WaitAsync();
        using var other = await StartAsync(work, [Job("j", Hour)]);
        var stopping = host.StopAsync();
        Assert.That(await inside.WaitAsync(TimeSpan.FromMilliseconds(1500)), Is.False, "the other does not start it while it runs");
        Assert.That(stopping.IsCompleted, Is.False);
        go.Release();
        await stopping;
        Assert.That(work.RunsOf("j"), Is.EqualTo(1), "it ended well");
        Assert.That(await inside.WaitAsync(TimeSpan.FromSeconds(60)), Is.True, "then the other takes over");
        go.Release();
        await Eventually.TrueAsync(() => work.RunsOf("j") == 2, "its run");
        await other.StopAsync();
        Assert.That(await ScalarAsync("SELECT runs - failures FROM platform.recurring_jobs WHERE name = 'j'"), Is.EqualTo(2L));
    }

    [Test]
    public async Task A_signal_on_a_process_that_does_not_lead_reaches_the_one_that_does()
    {
        var one = new TestWork();
        using var leader = await StartAsync(one, [Job("j", Hour, "go")]);
        await Eventually.TrueAsync(() => one.RunsOf("j") > 0, "the first leads");
        using var other = await StartAsync(new TestWork(), [Job("j", Hour, "go")]);
        var runs = await CalmAsync(one);
        other.Services.GetRequiredService<ISignals>().Publish("go");
        await Eventually.TrueAsync(() => one.RunsOf("j") > runs, "the leader ran");
        await Task.WhenAll(leader.StopAsync(), other.StopAsync());
    }

    [Test]
    public async Task A_leader_that_loses_its_connection_stops_and_one_of_them_leads_again()
    {
        var work = new TestWork();
        var log = new CollectingLogs();
        using var host = await StartAsync(work, [Job("j", TimeSpan.FromMilliseconds(50))], configure: services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug)).AddSingleton<ILoggerProvider>(log));
        await Eventually.TrueAsync(() => work.RunsOf("j") > 2, "running");
        Assert.That(await ScalarAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'fogcompute recurring jobs' AND datname = current_database()"), Is.EqualTo(1L));
        var health = host.Services.GetRequiredService<RecurringJobsHealth>();
        await Eventually.TrueAsync(() => !health.Jobs[0].IsLeader || log.Count("recurring_job_leading") > 1, "stepped down");
        await Eventually.TrueAsync(() => health.Jobs[0].IsLeader && log.Count("recurring_job_leading") > 1, "leads again");
        var runs = work.RunsOf("j");
        await Eventually.TrueAsync(() => work.RunsOf("j") > runs, "runs again");
        await host.StopAsync();
    }

    [Test]
    public async Task Survives_an_outage_of_the_database_and_reports_it_once()
    {
        await using var database = await TestDatabase.CreatePrivateAsync();
        var work = new TestWork();
        var log = new CollectingLogs();
        work.Body = async (run, cancel) => new TestAnswer(default, await run.Db.ScalarSqlAsync<int>("SELECT 1", cancel));
        using var host = await StartAsync(work, [Job("j", TimeSpan.FromMilliseconds(50)), Job("k", TimeSpan.FromMilliseconds(50)), RecurringJob.Schedule("s", TimeSpan.FromSeconds(1), () => new TestCommand("s"), "for the test")], database: database,
            configure: services => services.AddSingleton<ILoggerProvider>(log));
        await Eventually.TrueAsync(() => work.RunsOf("j") > 2 && work.RunsOf("k") > 2 && work.RunsOf("s") > 0, "running");
        await database.RestartAsync(kill: true, meanwhile: () => Task.Delay(TimeSpan.FromSeconds(2)));
        var (j, k, s) = (work.RunsOf("j"), work.RunsOf("k"), work.RunsOf("s"));
        await Eventually.TrueAsync(() => work.RunsOf("j") > j + 2 && work.RunsOf("k") > k + 2 && work.RunsOf("s") > s + 1, "running again");
        await host.StopAsync();
        Assert.That(log.Lines.Count(line => line.Text.StartsWith("recurring_jobs_paused", StringComparison.Ordinal)), Is.EqualTo(1));
        // How many parts notice it, and how often one is thrown back on its way, depends on the moment; none says it again and again.
        var warnings = log.Lines.Where(line => line.Level >= LogLevel.Warning).Select(line => line.Text).ToList();
        Assert.That(warnings.GroupBy(text => text.Split(' ')[0]).Select(kind => kind.Count()), Has.All.LessThanOrEqualTo(4), "the log is flooded:\n" + string.Join('\n', warnings));
        Assert.That(log.Lines.Count(line => line.Text.StartsWith("signals_disconnected", StringComparison.Ordinal)), Is.EqualTo(1));
        Assert.That(log.Lines.Count(line => line.Text.StartsWith("recurring_jobs_outage ", StringComparison.Ordinal)), Is.LessThanOrEqualTo(1));
    }

    [Test]
    public void Names_of_the_table_are_unique_and_so_are_their_locks()
    {
        Assert.That(RecurringJobTable.Rows.Select(job => job.Name), Is.Unique);
        Assert.That(RecurringJobTable.Rows.Select(job => job.LockId), Is.Unique);
        Assert.That(RecurringJobTable.Rows.Select(job => job.Why), Has.All.Not.Empty);
    }

    /// <summary>Waits until nothing causes runs any more: the storm of the test, or the connection for signals, which wakes everybody once when it is made. Returns how many there were.</summary>
    private static async Task<int> CalmAsync(TestWork work)
    {
        await Eventually.TrueAsync(() => work.RunsOf("j") > 0, "first run");
        var runs = -1;
        for (; runs != work.RunsOf("j"); await Task.Delay(500))
            runs = work.RunsOf("j");
        return runs;
    }

    private static RecurringJob Job(string name, TimeSpan period, string? topic = null) =>
        RecurringJob.Pump(name, period, () => new TestCommand(name), "for the test", topic);

    private Task<IHost> StartAsync(TestWork work, IReadOnlyList<RecurringJob> jobs, TimeProvider? time = null, TestDatabase? database = null, Action<IServiceCollection>? configure = null) =>
        (database ?? _database).StartHostAsync(services =>
        {
            work.Register(services);
            configure?.Invoke(services);
        }, time, jobs);

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        do
            seen = target;
        while (seen < value && Interlocked.CompareExchange(ref target, value, seen) != seen);
    }

    private sealed class CollectingLogs : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text, Exception? Failure)> Lines { get; } = new();

        public int Count(string beginning) => Lines.Count(line => line.Text.StartsWith(beginning, StringComparison.Ordinal));

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue((logLevel, formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }
}
