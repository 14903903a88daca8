using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Common;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;

[TestFixture]
public sealed class UnitOfWorkTests
{
    private TestDatabase _database = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _database = await TestDatabase.CreateAsync();
        await ScalarAsync("CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); INSERT INTO counters VALUES (1, 0), (2, 0)");
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [Test]
    public async Task A_deadlock_is_run_again_and_both_have_their_effect_once()
    {
        var bothHold = new Barrier(2);
        var calls = 0;
        var work = new TestWork
        {
            Body = async (run, cancel) =>
            {
                var (mine, other) = run.Command.Name == "up" ? (1, 2) : (2, 1);
                await run.Db.ExecuteSqlAsync("UPDATE counters SET n = n + 1 WHERE id = $1", cancel, mine);
                // Only the first round is arranged to collide.
                if (Interlocked.Increment(ref calls) <= 2)
                    await Task.Run(() => bothHold.SignalAndWait(TimeSpan.FromSeconds(60), cancel), cancel);
                await run.Db.ExecuteSqlAsync("UPDATE counters SET n = n + 1 WHERE id = $1", cancel, other);
                return new TestAnswer(default, 0);
            },
        };
        await using var services = _database.BuildServices(work.Register);
        await Task.WhenAll(services.SendAsync(new TestCommand("up")), services.SendAsync(new TestCommand("down")));
        Assert.That(calls, Is.EqualTo(3), "one of the two was the victim once");
        Assert.That(await ScalarAsync("SELECT string_agg(n::text, ',') FROM counters"), Is.EqualTo("2,2"));
    }

    [Test]
    public async Task A_command_that_fails_changes_and_signals_nothing()
    {
        var work = new TestWork();
        await using var services = _database.BuildServices(work.Register);
        using var ticket = services.GetRequiredService<ISignals>().Listen("t");
        work.Body = async (run, cancel) =>
        {
            await run.Db.ExecuteSqlAsync("INSERT INTO counters VALUES (3, 0)", cancel);
            run.Scope.SignalAfterCommit("t");
            throw new InvalidOperationException("second thoughts");
        };
        Assert.That(() => services.SendAsync(new TestCommand("a")), Throws.InvalidOperationException);
        Assert.That(await ScalarAsync("SELECT count(*) FROM counters WHERE id = 3"), Is.Zero);
        Assert.That(await ticket.WaitAsync(TimeSpan.Zero, default), Is.False);

        work.Body = (run, _) =>
        {
            run.Scope.SignalAfterCommit("t");
            return Task.FromResult(new TestAnswer(default, 0));
        };
        await services.SendAsync(new TestCommand("a"));
        Assert.That(await ticket.WaitAsync(TimeSpan.Zero, default), Is.True);
    }

    [Test]
    public async Task A_command_inside_a_command_is_a_defect()
    {
        var work = new TestWork();
        await using var services = _database.BuildServices(work.Register);
        await using var scope = services.CreateAsyncScope();
        var unitOfWork = scope.ServiceProvider.GetRequiredService<IUnitOfWork>();
        Assert.That(
            () => unitOfWork.RunAsync(_ => unitOfWork.RunAsync(_ => Task.FromResult(1), _ => Task.CompletedTask, default), _ => Task.CompletedTask, default),
            Throws.InvalidOperationException.With.Message.Contains("inside another command"));
    }

    [Test]
    public async Task A_database_that_is_away_is_a_503_and_works_again_when_it_is_back()
    {
        await using var database = await TestDatabase.CreatePrivateAsync();
        var work = new TestWork { Body = async (run, cancel) => new TestAnswer(default, await run.Db.ScalarSqlAsync<int>("SELECT 7", cancel)) };
        await using var services = database.BuildServices(work.Register);
        Assert.That((await services.SendAsync(new TestCommand("a"))).Amount, Is.EqualTo(7));

        await database.RestartAsync(kill: true, meanwhile: () =>
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.That(() => services.SendAsync(new TestCommand("a")),
                    Throws.InstanceOf<FogException>().With.Property(nameof(FogException.Error)).EqualTo(DatabaseFailures.DatabaseDown)
                        .And.Property(nameof(FogException.RetryAfter)).Not.Null);
            }
            return Task.CompletedTask;
        });
        // Connections that broke while nobody looked are found out one by one.
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await services.SendAsync(new TestCommand("a"))).Amount == 7;
            }
            catch (FogException failure) when (failure.Error == DatabaseFailures.DatabaseDown)
            {
                return false;
            }
        }, "works again");
    }

    [Test]
    public async Task A_commit_whose_answer_is_lost_is_not_reported_as_nothing_changed()
    {
        var work = new TestWork();
        await using var services = _database.BuildServices(work.Register);
        // A deferred trigger runs inside COMMIT; it ends its own connection there.
        await ScalarAsync(
            """
            CREATE TABLE cut (n int);
            CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON cut DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
            """);
        work.Body = async (run, cancel) =>
        {
            await run.Db.ExecuteSqlAsync("INSERT INTO cut VALUES (1)", cancel);
            return new TestAnswer(default, 0);
        };
        Assert.That(() => services.SendAsync(new TestCommand("a")),
            Throws.InstanceOf<FogException>().With.Property(nameof(FogException.Error)).EqualTo(DatabaseFailures.OutcomeUnknown));
    }

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}
