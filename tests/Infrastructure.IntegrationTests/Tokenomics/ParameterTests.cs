using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

internal static class ParameterChanges
{
    /// <summary>One transaction as the pipeline runs it; signals after the commit.</summary>
    public static async Task<T> InTransactionAsync<T>(this IServiceProvider services, Func<IServiceProvider, Task<T>> work)
    {
        await using var scope = services.CreateAsyncScope();
        var transaction = scope.ServiceProvider.GetRequiredService<TransactionScope>();
        var result = await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(
            _ =>
            {
                transaction.Reset();
                return work(scope.ServiceProvider);
            }, transaction.DeliverAsync, CancellationToken.None);
        transaction.Signal();
        return result;
    }

    public static Task<ParameterChange> SetParameterAsync(this IServiceProvider services, ParameterDefinition parameter, long value, DateTimeOffset at) =>
        services.InTransactionAsync(s => s.GetRequiredService<IParameterBook>().SetAsync(parameter, value, "abc", at, CancellationToken.None));
}

/// <summary>Who sees which value when; and what the founder may still decide. Two service providers stand for two processes.</summary>
[TestFixture]
public sealed class ParameterTests
{
    private readonly ManualTimeProvider _time = new();
    private TestDatabase _database = null!;
    private ServiceProvider _here = null!, _elsewhere = null!;

    [SetUp]
    public async Task SetUp()
    {
        _database = await TestDatabase.CreateAsync();
        _here = Process();
        _elsewhere = Process();
    }

    [TearDown]
    public async Task TearDown()
    {
        await _here.DisposeAsync();
        await _elsewhere.DisposeAsync();
        await _database.DisposeAsync();
    }

    private ServiceProvider Process(FoundersParameters? founders = null) => _database.BuildServices(s => s.AddTokenomics(Path.Combine(Path.GetTempPath(), $"fog-parameters-{Guid.NewGuid():N}.pem"), founders), _time);

    private static async Task<ParameterValues> ReadAsync(IServiceProvider process)
    {
        await using var scope = process.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IParameters>().CurrentAsync(CancellationToken.None);
    }

    private Task<ParameterChange> SetAsync(long coreHour) => _here.SetParameterAsync(ParameterCatalogue.CoreHour, coreHour, _time.GetUtcNow());

    [Test]
    public async Task A_change_shows_at_once_here_and_after_a_second_elsewhere()
    {
        Assert.That(((await ReadAsync(_here)).Version, (await ReadAsync(_elsewhere)).Version), Is.EqualTo((0L, 0L)));
        var change = await SetAsync(200_000);
        Assert.That((change.Version, change.Previous, change.Value), Is.EqualTo((1L, 100_000L, 200_000L)));
        var values = await ReadAsync(_here);
        Assert.That((values.Version, values[ParameterCatalogue.CoreHour]), Is.EqualTo((1L, 200_000L)));
        _time.Advance(TimeSpan.FromMilliseconds(900));
        Assert.That((await ReadAsync(_elsewhere)).Version, Is.Zero);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.That((await ReadAsync(_elsewhere))[ParameterCatalogue.CoreHour], Is.EqualTo(200_000));
    }

    [Test]
    public async Task One_transaction_sees_one_version_whatever_happens_beside_it()
    {
        var (before, after) = await _elsewhere.InTransactionAsync(async s =>
        {
            var parameters = s.GetRequiredService<IParameters>();
            var first = await parameters.CurrentAsync(CancellationToken.None);
            await SetAsync(200_000);
            _time.Advance(TimeSpan.FromSeconds(5));
            Assert.That((await ReadAsync(_elsewhere)).Version, Is.EqualTo(1), "others do see it");
            return (first, await parameters.CurrentAsync(CancellationToken.None));
        });
        Assert.That((before.Version, after.Version), Is.EqualTo((0L, 0L)));
        Assert.That((await _elsewhere.InTransactionAsync(s => s.GetRequiredService<IParameters>().CurrentAsync(CancellationToken.None))).Version, Is.EqualTo(1));
    }

    [Test]
    public async Task A_transaction_sees_its_own_change_and_nobody_else_does_before_it_commits()
    {
        await ReadAsync(_here);
        Assert.ThrowsAsync<InvalidOperationException>(() => _here.InTransactionAsync<int>(async s =>
        {
            await s.GetRequiredService<IParameterBook>().SetAsync(ParameterCatalogue.CoreHour, 7, null, _time.GetUtcNow(), CancellationToken.None);
            Assert.That((await s.GetRequiredService<IParameters>().CurrentAsync(CancellationToken.None))[ParameterCatalogue.CoreHour], Is.EqualTo(7));
            _time.Advance(TimeSpan.FromSeconds(2));
            Assert.That((await ReadAsync(_here)).Version, Is.Zero);
            throw new InvalidOperationException("undone");
        }));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.That((await ReadAsync(_here)).Version, Is.Zero);
    }

    [Test]
    public async Task Many_readers_are_one_query_and_a_change_during_it_is_not_missed()
    {
        var cache = _here.GetRequiredService<ParameterCache>();
        var (reads, gate) = (0, new TaskCompletionSource());
        async Task<ParameterValues> Read(CancellationToken cancel)
        {
            Interlocked.Increment(ref reads);
            await gate.Task;
            return ParameterValues.Defaults;
        }
        var readers = Enumerable.Range(0, 50).Select(_ => cache.GetAsync(Read, CancellationToken.None)).ToList();
        gate.SetResult();
        await Task.WhenAll(readers);
        await cache.GetAsync(Read, CancellationToken.None);
        Assert.That(reads, Is.EqualTo(1));

        _time.Advance(TimeSpan.FromSeconds(1));
        gate = new TaskCompletionSource();
        var reader = cache.GetAsync(Read, CancellationToken.None);
        _here.GetRequiredService<ISignals>().Publish(Topics.Parameters);
        gate.SetResult();
        await reader;
        await cache.GetAsync(Read, CancellationToken.None);
        Assert.That(reads, Is.EqualTo(3), "what was read while it changed is not kept");
    }

    [Test]
    public async Task More_readers_than_connections_do_not_wait_for_each_other()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var readers = Enumerable.Range(0, 60).Select(i => i % 2 == 0 ? ReadAsync(_here) : _here.InTransactionAsync(async s =>
        {
            // Holds a connection before it asks.
            await s.GetRequiredService<FogDbContext>().ExecuteSqlAsync("SELECT 1", patience.Token);
            await Task.Delay(20, patience.Token);
            return await s.GetRequiredService<IParameters>().CurrentAsync(patience.Token);
        }));
        var values = await Task.WhenAll(readers).WaitAsync(patience.Token);
        Assert.That(values.Select(v => v.Version), Is.All.Zero);
    }

    [Test]
    public async Task A_reader_that_fails_leaves_the_next_one_a_chance()
    {
        var cache = _here.GetRequiredService<ParameterCache>();
        Assert.ThrowsAsync<IOException>(() => cache.GetAsync(_ => throw new IOException("away"), CancellationToken.None));
        Assert.That(await cache.GetAsync(_ => Task.FromResult(ParameterValues.Defaults), CancellationToken.None), Is.SameAs(ParameterValues.Defaults));
    }

    private static FoundersParameters Founder(long coreHour, long delay) =>
        new(new Dictionary<ParameterDefinition, long> { [ParameterCatalogue.CoreHour] = coreHour, [ParameterCatalogue.VotingDelay] = delay });

    private async Task<int> StartAsync(FoundersParameters founders)
    {
        await using var process = Process(founders);
        await using var scope = process.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new ApplyFoundersParametersCommand());
    }

    [Test]
    public async Task The_founder_decides_at_the_first_start_and_proposals_from_then_on()
    {
        Assert.That(await StartAsync(FoundersParameters.None), Is.Zero);
        Assert.That(await StartAsync(Founder(200_000, 2)), Is.EqualTo(2));
        Assert.That(await StartAsync(Founder(200_000, 2)), Is.Zero);
        Assert.That(await StartAsync(Founder(300_000, 3)), Is.Zero);
        var values = await ReadAsync(_here);
        Assert.That((values.Version, values[ParameterCatalogue.CoreHour], values[ParameterCatalogue.VotingDelay]), Is.EqualTo((2L, 200_000L, 2L)));
        await using var scope = _here.CreateAsyncScope();
        var history = await scope.ServiceProvider.GetRequiredService<IParameterBook>().HistoryAsync(null, 10, CancellationToken.None);
        Assert.That(history.Select(h => (h.Name, h.Proposal)), Is.EqualTo(new[] { ("pricing.core_hour_micro", (string?)null), ("governance.delay_seconds", null) }));
    }

    [Test]
    public async Task A_pool_with_an_account_is_its_founders_no_more()
    {
        await _here.InTransactionAsync(s => s.GetRequiredService<FogDbContext>().ExecuteSqlAsync(
            """
            WITH account AS (INSERT INTO identity.accounts (id, name, address, created_at) VALUES (gen_random_uuid(), 'first', 'fog1first', now()) RETURNING id)
            INSERT INTO tokenomics.owners (id, address, opened_at) SELECT id, 'fog1first', now() FROM account
            """, CancellationToken.None));
        Assert.That(await StartAsync(Founder(200_000, 2)), Is.Zero);
        Assert.That((await ReadAsync(_here)).Version, Is.Zero);
    }

    [Test]
    public async Task Of_processes_that_start_together_one_applies()
    {
        var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StartAsync(Founder(200_000, 2))));
        Assert.That(applied.Order(), Is.EqualTo(new[] { 0, 0, 0, 2 }));
        Assert.That((await ReadAsync(_here)).Version, Is.EqualTo(2));
    }
}
