using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Health;
using FogCompute.Application.Operations;
using FogCompute.Infrastructure.Health;
using FogCompute.Infrastructure.RecurringJobs;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;

/// <summary>Recurring jobs of several control planes on one database: schedules on Quartz, pauses, manual runs, history.</summary>
[TestFixture]
public sealed class SchedulesTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private TestDatabase _database = null!;

    [SetUp]
    public async Task SetUp() => _database = await TestDatabase.CreateAsync();

    [TearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [Test]
    public async Task A_schedule_of_two_processes_is_in_flight_once_and_goes_on_when_one_leaves()
    {
        var (one, two) = (new TestWork(), new TestWork());
        var (inFlight, most) = (0, 0);
        one.Body = two.Body = async (_, cancel) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inFlight));
            await Task.Delay(300, cancel);
            Interlocked.Decrement(ref inFlight);
            return new TestAnswer(default, 0);
        };
        using var first = await StartAsync(one, Schedule("s", TimeSpan.FromSeconds(1)));
        using var second = await StartAsync(two, Schedule("s", TimeSpan.FromSeconds(1)));
        await Eventually.TrueAsync(() => one.RunsOf("s") + two.RunsOf("s") >= 2, "two runs");
        var (leaving, staying) = one.RunsOf("s") > 0 ? (first, two) : (second, one);
        await leaving.StopAsync();
        var before = staying.RunsOf("s");
        await Eventually.TrueAsync(() => staying.RunsOf("s") > before + 1, "the other goes on");
        await Task.WhenAll(first.StopAsync(), second.StopAsync());
        Assert.That(most, Is.EqualTo(1));
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.servers"), Is.Zero, "both said goodbye");
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE job = 's' AND trigger = 'period' AND outcome = 'succeeded' AND duration_ms >= 290 AND host IS NOT NULL"), Is.GreaterThanOrEqualTo(3));
    }

    [Test]
    public async Task A_pause_holds_on_all_processes_and_over_a_restart_and_lets_manual_runs_through()
    {
        var work = new TestWork();
        RecurringJob[] jobs = [Schedule("s", TimeSpan.FromSeconds(1)), Pump("p", TimeSpan.FromMilliseconds(20))];
        using (var host = await StartAsync(work, jobs))
        {
            await Eventually.TrueAsync(() => work.RunsOf("s") > 0 && work.RunsOf("p") > 2, "running");
            // A run is on record a moment after it was seen here, and one may be in flight.
            await Eventually.TrueAsync(async () => await ScalarAsync("SELECT count(*) FROM platform.recurring_jobs WHERE last_finished_at IS NOT NULL") == 2, "on record");
            foreach (var name in new[] { "s", "p" })
                Assert.That(await SendAsync(host, new PauseRecurringJobCommand(name)), Is.EqualTo((true, "succeeded")).Or.EqualTo((true, "running")));
            await Task.Delay(200);
            await host.StopAsync();
        }
        var (s, p) = (work.RunsOf("s"), work.RunsOf("p"));
        using var again = await StartAsync(work, jobs);
        await Task.Delay(1500);
        Assert.That((work.RunsOf("s"), work.RunsOf("p")), Is.EqualTo((s, p)), "paused before the restart");

        var runs = new[] { await AskAsync(again, "s"), await AskAsync(again, "p") };
        await Eventually.TrueAsync(async () => await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE trigger = 'manual' AND outcome = 'succeeded' AND id = ANY ($1)", runs) == 2, "both ran");
        Assert.That((work.RunsOf("s"), work.RunsOf("p")), Is.EqualTo((s + 1, p + 1)), "once each");

        foreach (var name in new[] { "s", "p" })
            Assert.That((await SendAsync(again, new ResumeRecurringJobCommand(name))).Paused, Is.False);
        await Eventually.TrueAsync(() => work.RunsOf("s") > s + 1 && work.RunsOf("p") > p + 3, "running again");
        await again.StopAsync();
    }

    [Test]
    public async Task A_run_asked_for_on_one_process_happens_once_wherever_it_may()
    {
        var (one, two) = (new TestWork(), new TestWork());
        RecurringJob[] jobs = [Schedule("s", Hour), Pump("p", Hour)];
        using var leader = await StartAsync(one, jobs);
        await Eventually.TrueAsync(() => one.RunsOf("s") == 1 && one.RunsOf("p") == 1, "the first runs");
        using var other = await StartAsync(two, jobs);
        var runs = new List<Guid>();
        for (var i = 0; i < 3; i++)
            runs.AddRange([await AskAsync(other, "s"), await AskAsync(other, "p")]);
        await Eventually.TrueAsync(async () => await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE outcome = 'succeeded' AND id = ANY ($1)", runs.ToArray()) == 6, "all ran");
        // A pump runs by itself after what was asked for; a schedule does not.
        Assert.That(one.RunsOf("s") + two.RunsOf("s"), Is.EqualTo(4));
        Assert.That((one.RunsOf("p") >= 4, two.RunsOf("p")), Is.EqualTo((true, 0)));
        await Task.WhenAll(leader.StopAsync(), other.StopAsync());
        Assert.That(async () => await AskAsync(other, "unknown"), Throws.Exception);
    }

    /// <summary>Whatever the database says when somebody wants to take the run.</summary>
    [Test]
    public async Task A_run_that_could_not_be_taken_is_tried_again_and_its_job_goes_on()
    {
        var work = new TestWork();
        using var host = await StartAsync(work, Schedule("s", TimeSpan.FromSeconds(1)), Pump("p", TimeSpan.FromMilliseconds(20)));
        await Eventually.TrueAsync(() => work.RunsOf("s") > 0 && work.RunsOf("p") > 2, "running");
        await ExecuteAsync(
            """
            CREATE SEQUENCE platform.tries;
            CREATE FUNCTION platform.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('platform.tries'); RAISE EXCEPTION 'not now'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON platform.recurring_runs FOR EACH ROW WHEN (old.outcome = 'queued') EXECUTE FUNCTION platform.refuse()
            """);
        var runs = new[] { await AskAsync(host, "s"), await AskAsync(host, "p") };
        await Eventually.TrueAsync(async () => await ScalarAsync("SELECT last_value FROM platform.tries") >= 2, "both were tried for");
        await ExecuteAsync("DROP TRIGGER refuse ON platform.recurring_runs");
        await Eventually.TrueAsync(async () => await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE trigger = 'manual' AND outcome = 'succeeded' AND id = ANY ($1)", runs) == 2, "both ran", seconds: 40);
        var (s, p) = (work.RunsOf("s"), work.RunsOf("p"));
        await Eventually.TrueAsync(() => work.RunsOf("s") > s && work.RunsOf("p") > p, "both run by themselves as before");
        await host.StopAsync();
    }

    [Test]
    public async Task A_schedule_that_Quartz_gave_up_begins_anew_and_health_names_it_meanwhile()
    {
        var work = new TestWork();
        var job = Schedule("s", TimeSpan.FromSeconds(1));
        using (var host = await _database.StartHostAsync(services => { work.Register(services); services.AddHealth(); }, jobs: [job]))
        {
            await Eventually.TrueAsync(() => work.RunsOf("s") > 0, "running");
            await Eventually.TrueAsync(async () => await ScalarAsync("SELECT count(*) FROM platform.servers") == 1 && await ScalarAsync("SELECT runs FROM platform.recurring_jobs") > 0, "written");
            Assert.That((await JobsHealthAsync(host)).Status, Is.EqualTo(HealthStatus.Healthy));
            await Eventually.TrueAsync(async () =>
            {
                await ExecuteAsync("UPDATE quartz.qrtz_triggers SET trigger_state = 'ERROR' WHERE trigger_state = 'WAITING'");
                return await ScalarAsync("SELECT count(*) FROM quartz.qrtz_triggers WHERE trigger_state = 'ERROR'") == 1;
            }, "given up");
            // As it looks some minutes later.
            await Eventually.TrueAsync(async () =>
            {
                await ExecuteAsync("UPDATE platform.recurring_jobs SET last_finished_at = now() - interval '10 minutes'; UPDATE platform.servers SET started_at = now() - interval '1 hour'");
                var health = await JobsHealthAsync(host);
                return health.Status == HealthStatus.Degraded && health.Message == "Should have run and has not: s.";
            }, "health names it");
            await host.StopAsync();
        }
        var before = work.RunsOf("s");
        using var again = await StartAsync(work, job);
        await Eventually.TrueAsync(() => work.RunsOf("s") > before, "running again");
        await again.StopAsync();
    }

    private static Task<HealthReport> JobsHealthAsync(IHost host) => host.Services.GetServices<IHealthProbe>().Single(p => p.Name == "jobs").CheckAsync(default);

    [Test]
    public async Task What_was_missed_runs_once_at_once_and_what_is_not_due_waits()
    {
        var work = new TestWork();
        RecurringJob[] jobs = [Schedule("late", Hour), Schedule("early", Hour), Schedule("gone", Hour)];
        using (var host = await StartAsync(work, jobs))
        {
            await Eventually.TrueAsync(() => jobs.All(job => work.RunsOf(job.Name) == 1), "the first runs");
            await host.StopAsync();
        }
        await ExecuteAsync("UPDATE quartz.qrtz_triggers SET next_fire_time = next_fire_time - 4 * 36000000000 WHERE trigger_name = 'late'");
        using var again = await StartAsync(work, jobs[..2]);
        await Eventually.TrueAsync(() => work.RunsOf("late") == 2, "what was missed");
        await Task.Delay(1000);
        Assert.That((work.RunsOf("late"), work.RunsOf("early"), work.RunsOf("gone")), Is.EqualTo((2, 1, 1)));
        Assert.That(await ScalarAsync("SELECT count(*) FROM quartz.qrtz_job_details"), Is.EqualTo(2), "a row that the table lost is not stored");
        await again.StopAsync();
    }

    [Test]
    public async Task A_stop_waits_for_a_schedule_that_runs()
    {
        var work = new TestWork();
        var ended = false;
        work.Body = async (_, cancel) =>
        {
            await Task.Delay(700, cancel);
            ended = true;
            return new TestAnswer(default, 0);
        };
        using var host = await StartAsync(work, Schedule("s", Hour));
        await Eventually.TrueAsync(() => work.RunsOf("s") == 1, "running");
        await host.StopAsync();
        Assert.That(ended, Is.True);
    }

    [Test]
    public async Task Failures_keep_their_exception_and_a_pump_shares_an_entry_per_minute()
    {
        var work = new TestWork { Body = (run, _) => run.Command.Name == "bad" ? throw new InvalidOperationException("broken gear") : Task.FromResult(new TestAnswer(default, 0)) };
        using var host = await StartAsync(work, Pump("good", TimeSpan.FromMilliseconds(10)), Pump("bad", TimeSpan.FromMilliseconds(10)));
        await Eventually.TrueAsync(() => work.RunsOf("good") > 20 && work.RunsOf("bad") > 3, "runs");
        await host.StopAsync();
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE job = 'good'"), Is.InRange(1, 2));
        Assert.That(await ScalarAsync("SELECT sum(runs) FROM platform.recurring_runs WHERE job = 'good'"), Is.EqualTo(work.RunsOf("good")).Within(1), "a run that the stop interrupts is not counted");
        Assert.That(await ScalarAsync(
            "SELECT sum(runs) FROM platform.recurring_runs WHERE job = 'bad' AND outcome = 'failed' AND error_type = 'System.InvalidOperationException' AND error_message = 'broken gear' AND error_trace LIKE '%SchedulesTests%'"),
            Is.EqualTo(work.RunsOf("bad")));
    }

    [Test]
    public async Task The_history_is_bounded_and_runs_of_dead_servers_are_closed()
    {
        await ExecuteAsync(
            """
            INSERT INTO platform.recurring_runs (id, job, trigger, outcome, started_at, duration_ms) SELECT gen_random_uuid(), 'many', 'period', 'succeeded', now(), 1 FROM generate_series(1, 1100);
            INSERT INTO platform.recurring_runs (id, job, trigger, outcome, started_at, duration_ms) SELECT gen_random_uuid(), 'old', 'period', 'succeeded', now() - interval '8 days', 1 FROM generate_series(1, 5);
            INSERT INTO platform.recurring_runs (id, job, trigger, outcome, started_at, server) VALUES (gen_random_uuid(), 'stuck', 'manual', 'running', now() - interval '1 minute', gen_random_uuid());
            INSERT INTO platform.servers VALUES (gen_random_uuid(), 'gone', 1, '1.0.0', now() - interval '1 day', now() - interval '2 hours', '{}', '{}')
            """);
        await using var services = _database.BuildServices(jobs: []);
        await using var scope = services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new ForgetRunsCommand());
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE job = 'many'"), Is.EqualTo(1000));
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE job = 'old'"), Is.Zero);
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.recurring_runs WHERE job = 'stuck' AND outcome = 'interrupted'"), Is.EqualTo(1));
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.servers"), Is.Zero);
    }

    /// <summary>An upgrade of the package that wants other columns fails here, not in production.</summary>
    [Test]
    public async Task Our_tables_of_Quartz_have_the_columns_that_the_package_makes_for_itself()
    {
        var assembly = typeof(Quartz.IScheduler).Assembly;
        using var script = new StreamReader(assembly.GetManifestResourceStream("Quartz.Impl.AdoJobStore.Schema.create_postgres.sql")!);
        await ExecuteAsync("CREATE SCHEMA theirs");
        await ExecuteAsync(string.Format(null, (await script.ReadToEndAsync()).Replace("--;;", "", StringComparison.Ordinal), "theirs.qrtz_", "qrtz_"));
        Assert.That(await ScalarAsync("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'quartz'"), Is.GreaterThan(80));
        Assert.That(await ScalarAsync(
            """
            WITH c AS (SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema IN ('quartz', 'theirs'))
            SELECT count(*) FROM (SELECT * FROM c WHERE table_schema = 'quartz') AS a
            FULL JOIN (SELECT * FROM c WHERE table_schema = 'theirs' AND table_name NOT IN ('qrtz_execution_history', 'qrtz_misfire_history', 'qrtz_job_status')) AS b USING (table_name, column_name)
            WHERE (a.data_type, a.is_nullable, a.column_default) IS DISTINCT FROM (b.data_type, b.is_nullable, b.column_default)
            """), Is.Zero);
    }

    [TestCase(3, "every 3 s")]
    [TestCase(60, "every minute")]
    [TestCase(600, "every 10 min")]
    [TestCase(3600, "every hour")]
    public void A_schedule_is_told_in_words(double seconds, string words) => Assert.That(JobOffice.InWords(Schedule("s", TimeSpan.FromSeconds(seconds))), Is.EqualTo(words));

    [Test]
    public void A_schedule_too_short_for_Quartz_is_refused() => Assert.That(() => Schedule("s", TimeSpan.FromMilliseconds(500)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static RecurringJob Schedule(string name, TimeSpan period) => RecurringJob.Schedule(name, period, () => new TestCommand(name), "for the test");

    private static RecurringJob Pump(string name, TimeSpan period) => RecurringJob.Pump(name, period, () => new TestCommand(name), "for the test");

    private Task<IHost> StartAsync(TestWork work, params RecurringJob[] jobs) => _database.StartHostAsync(work.Register, jobs: jobs);

    private static async Task<Guid> AskAsync(IHost host, string name)
    {
        await using var scope = host.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return (await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new TriggerRecurringJobCommand(name))).RunId;
    }

    private static async Task<(bool Paused, string? LastOutcome)> SendAsync(IHost host, ICommand<RecurringJobItem> command)
    {
        await using var scope = host.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        var job = await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command);
        return (job.Paused, job.LastRun?.Outcome);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> ScalarAsync(string sql, Guid[]? ids = null)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        if (ids is not null)
            command.Parameters.Add(new NpgsqlParameter { Value = ids });
        return Convert.ToInt64(await command.ExecuteScalarAsync());
    }
}
