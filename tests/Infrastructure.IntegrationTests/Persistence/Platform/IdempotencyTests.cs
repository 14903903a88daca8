using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Platform;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;

/// <summary>Through the real pipeline on the real database.</summary>
[TestFixture]
public sealed class IdempotencyTests
{
    private TestDatabase _database = null!;
    private ManualTimeProvider _time = null!;
    private TestWork _work = null!;
    private ServiceProvider _services = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _database = await TestDatabase.CreateAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [SetUp]
    public async Task Fresh()
    {
        await ScalarAsync("TRUNCATE platform.idempotency_keys");
        _time = new ManualTimeProvider();
        _work = new TestWork();
        _services = _database.BuildServices(_work.Register, _time);
    }

    [TearDown]
    public async Task Close() => await _services.DisposeAsync();

    [Test]
    public async Task The_same_key_gives_the_same_answer_and_does_the_work_once()
    {
        var first = await _services.SendAsync(new TestCommand("a", "key", 5));
        var second = await _services.SendAsync(new TestCommand("a", "key", 5));
        Assert.That(second, Is.EqualTo(first));
        Assert.That(_work.RunsOf("a"), Is.EqualTo(1));
    }

    [Test]
    public async Task Without_a_key_every_call_counts()
    {
        await _services.SendAsync(new TestCommand("a"));
        await _services.SendAsync(new TestCommand("a"));
        Assert.That(_work.RunsOf("a"), Is.EqualTo(2));
    }

    [Test]
    public async Task Another_message_under_the_same_key_is_refused()
    {
        await _services.SendAsync(new TestCommand("a", "key", 5));
        Assert.That(() => _services.SendAsync(new TestCommand("a", "key", 6)),
            Throws.InstanceOf<FogException>().With.Property(nameof(FogException.Error)).EqualTo(IdempotencyErrors.KeyReused));
    }

    [Test]
    public async Task Keys_of_different_accounts_do_not_meet()
    {
        var one = Caller.System with { Account = new AccountId(Guid.NewGuid()) };
        var two = Caller.System with { Account = new AccountId(Guid.NewGuid()) };
        var first = await _services.SendAsync(new TestCommand("a", "key"), one);
        Assert.That(await _services.SendAsync(new TestCommand("a", "key"), two), Is.Not.EqualTo(first));
    }

    [Test]
    public async Task A_command_that_failed_is_not_remembered()
    {
        _work.Body = (_, _) => throw new FogException(IdentityErrors.NotYours);
        Assert.That(() => _services.SendAsync(new TestCommand("a", "key")), Throws.InstanceOf<FogException>());
        _work.Body = (_, _) => Task.FromResult(new TestAnswer(Guid.NewGuid(), 1));
        Assert.That((await _services.SendAsync(new TestCommand("a", "key"))).Amount, Is.EqualTo(1));
        Assert.That(_work.RunsOf("a"), Is.EqualTo(2));
    }

    [Test]
    public async Task Of_many_at_the_same_time_one_works_and_the_others_wait_for_its_answer()
    {
        _work.Body = async (run, cancel) =>
        {
            await Task.Delay(200, cancel);
            return new TestAnswer(Guid.NewGuid(), run.Command.Amount);
        };
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _services.SendAsync(new TestCommand("a", "key"))));
        Assert.That(answers.Distinct().Count(), Is.EqualTo(1));
        Assert.That(_work.RunsOf("a"), Is.EqualTo(1));
    }

    [Test]
    public async Task When_the_first_fails_a_waiting_one_takes_over()
    {
        var calls = 0;
        _work.Body = async (_, cancel) =>
        {
            var call = Interlocked.Increment(ref calls);
            await Task.Delay(200, cancel);
            return call == 1 ? throw new FogException(IdentityErrors.NotYours) : new TestAnswer(Guid.NewGuid(), call);
        };
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            try
            {
                return await _services.SendAsync(new TestCommand("a", "key"));
            }
            catch (FogException)
            {
                return null;
            }
        }));
        Assert.That(outcomes.Count(outcome => outcome is null), Is.EqualTo(1));
        Assert.That(outcomes.OfType<TestAnswer>().Distinct().Count(), Is.EqualTo(1));
        Assert.That(calls, Is.EqualTo(2));
    }

    [Test]
    public async Task A_key_may_be_used_again_after_a_day()
    {
        var first = await _services.SendAsync(new TestCommand("a", "key", 1));
        _time.Advance(TimeSpan.FromHours(23.9));
        Assert.That(await _services.SendAsync(new TestCommand("a", "key", 1)), Is.EqualTo(first));
        _time.Advance(TimeSpan.FromHours(0.2));
        Assert.That((await _services.SendAsync(new TestCommand("a", "key", 2))).Amount, Is.EqualTo(2), "even for another message");
    }

    [Test]
    public async Task The_recurring_command_deletes_what_is_older_than_a_day_and_says_when_there_is_more()
    {
        await ScalarAsync(
            $"INSERT INTO platform.idempotency_keys SELECT gen_random_uuid(), 'c', n::text, '', 'null', '{_time.GetUtcNow() - TimeSpan.FromHours(25):O}' FROM generate_series(1, 6000) n");
        await _services.SendAsync(new TestCommand("a", "fresh"));
        Assert.That((await ForgetAsync()).MoreToDo, Is.True);
        Assert.That((await ForgetAsync()).MoreToDo, Is.False);
        Assert.That(await ScalarAsync("SELECT string_agg(key, ',') FROM platform.idempotency_keys"), Is.EqualTo("fresh"));
    }

    [Test]
    public async Task Statements_that_come_back_are_prepared_by_themselves()
    {
        await using var scope = _services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<FogDbContext>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        for (var i = 0; i < 6; i++)
            Assert.That(await db.ScalarSqlAsync<int>("SELECT max(n) + $2 FROM unnest($1) AS n", default, new[] { 1, 2, i }, 1), Is.EqualTo(Math.Max(2, i) + 1));
        Assert.That(await db.ScalarSqlAsync<long>("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%max(n) + $2%'", default), Is.GreaterThanOrEqualTo(1));
    }

    [Test]
    public async Task A_query_outside_a_transaction_gives_its_connection_back()
    {
        await using var scope = _services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<FogDbContext>();
        Assert.That(await db.ScalarSqlAsync<string>("SHOW statement_timeout", default), Is.EqualTo("30s"));
        Assert.That(db.Database.GetDbConnection().State, Is.EqualTo(System.Data.ConnectionState.Closed));
        Assert.That(() => db.ScalarSqlAsync<int>("SELECT 1::bigint", default), Throws.InstanceOf<InvalidCastException>(), "a wrong type is no null");
    }

    private async Task<RecurringOutcome> ForgetAsync()
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new ForgetIdempotencyKeysCommand());
    }

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}
