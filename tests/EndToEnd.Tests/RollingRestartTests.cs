using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using FogCompute.EndToEnd.Tests.Harness;
using FogCompute.Infrastructure.Persistence.Embedded;
using FogCompute.Testing;
using Npgsql;

namespace FogCompute.EndToEnd.Tests;

/// <summary>
/// An upgrade without an outage: two control planes on one PostgreSQL behind a load balancer, under load, each stopped with SIGTERM and started again in
/// turn, twice. Clients do what clients should: repeat a submit under its key after a 503. Nothing else may go wrong.
/// </summary>
[TestFixture]
internal sealed class RollingRestartTests
{
    private const string Label = "rolling";
    private const int Rounds = 2;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(11); // One second of drain, ten to end.

    private readonly ConcurrentQueue<Guid> _acknowledged = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private int _requests;
    private int _busy;

    [Test]
    public async Task Nothing_fails_while_each_is_replaced_in_turn()
    {
        await using var cluster = await TestCluster.StartAsync();
        var database = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Database = EmbeddedPostgres.Database, Pooling = true }.ConnectionString;
        await using var pool = await Pool.OpenAsync(silence: 60, databaseUrl: database, replicas: 2, drain: 1);
        try
        {
            await pool.StartAgentsAsync(3, new AgentOptions { Label = Label, Slots = 8 });
            await RestartUnderLoadAsync(pool);
            await AllCompletedOnceAsync(pool);
        }
        catch
        {
            pool.PrintLogs();
            throw;
        }
    }

    private async Task RestartUnderLoadAsync(Pool pool)
    {
        using var stop = new CancellationTokenSource();
        var load = Task.WhenAll([.. Enumerable.Range(0, 3).Select(_ => SubmitAsync(pool, stop.Token)), .. Enumerable.Range(0, 2).Select(i => ReadAsync(pool, i, stop.Token))]);
        await Wait.UntilAsync("the load runs", () => _acknowledged.Count > 10);
        var restarts = new List<string>();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var plane in pool.Planes)
            {
                var before = _acknowledged.Count;
                var ended = await plane.StopAsync(Wait.OnThisMachine(Limit));
                Assert.That(ended, Is.Not.Null, $"control plane {plane.Name} ended in time");
                Assert.That(plane.ExitCode, Is.Zero);
                var down = Stopwatch.GetTimestamp();
                await plane.StartAsync();
                restarts.Add($"{plane.Name}: {ended!.Value.TotalSeconds:0.00} s to end, {Stopwatch.GetElapsedTime(down).TotalSeconds:0.00} s to start, {_acknowledged.Count - before} jobs taken meanwhile");
                Assert.That(_acknowledged, Has.Count.GreaterThan(before), "the other one took jobs meanwhile");
            }
        }
        await stop.CancelAsync();
        await load;
        TestContext.Out.WriteLine(string.Join('\n', restarts));
        TestContext.Out.WriteLine($"{_requests} requests, {_busy} of them answered 503 and repeated, {_failures.Count} failed otherwise; {_acknowledged.Count} jobs acknowledged");
        Assert.That(_failures, Is.Empty);
    }

    private async Task AllCompletedOnceAsync(Pool pool)
    {
        var acknowledged = _acknowledged.ToHashSet();
        Assert.That(acknowledged, Has.Count.EqualTo(_acknowledged.Count), "each job once");
        var jobs = await Wait.UntilAsync("all jobs end", pool.Client.JobsAsync, all => all.All(j => j.Status is "completed" or "failed" or "cancelled"));
        Assert.Multiple(() =>
        {
            Assert.That(jobs.Select(j => j.Status), Has.All.EqualTo("completed"));
            Assert.That(jobs.Select(j => j.Id), Is.EquivalentTo(acknowledged), "what was acknowledged is there, and nothing twice");
        });
        var lines = await pool.Client.LedgerAsync();
        var settlements = lines.Where(l => l.Kind == "settlement" && l.Account == "held").GroupBy(l => l.JobId!.Value).ToDictionary(g => g.Key, g => g.Count());
        Assert.Multiple(() =>
        {
            Assert.That(settlements.Keys, Is.EquivalentTo(acknowledged), "every job is paid");
            Assert.That(settlements.Values, Has.All.EqualTo(1), "and once");
            Assert.That(lines.Where(l => l.Account == "held").Sum(l => l.Amount), Is.Zero, "nothing is held");
        });
        var audit = await pool.AssertBalancedAsync();
        TestContext.Out.WriteLine($"{jobs.Count} jobs completed, {settlements.Count} paid once; supply {audit.Supply} of {audit.Cap}");
    }

    private async Task SubmitAsync(Pool pool, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var key = Guid.NewGuid().ToString();
            var job = new JobRequest { Name = key, Payload = JobRequest.Noop, Constraints = new([Label]), Deterministic = false };
            if (await InsistAsync(() => pool.Client.SubmitAsync(job, key)) is { } submitted)
                _acknowledged.Enqueue(submitted.JobId);
            await Task.Delay(Pause, CancellationToken.None);
        }
    }

    private async Task ReadAsync(Pool pool, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        while (!stop.IsCancellationRequested)
        {
            var known = _acknowledged.ToArray();
            if (known.Length > 0)
                await InsistAsync(() => pool.Client.JobAsync(known[random.Next(known.Length)]));
            await Task.Delay(Pause, CancellationToken.None);
        }
    }

    /// <summary>Repeats what was answered 503 with Retry-After (sooner than that says, to see more of it). Null, and on the record, when it failed otherwise.</summary>
    private async Task<T?> InsistAsync<T>(Func<Task<T>> call)
        where T : class
    {
        while (true)
        {
            Interlocked.Increment(ref _requests);
            try
            {
                return await call();
            }
            catch (RefusedException busy) when (busy.Status == HttpStatusCode.ServiceUnavailable && busy.RetryAfter is not null)
            {
                Interlocked.Increment(ref _busy);
                await Task.Delay(Pause);
            }
            catch (Exception failure)
            {
                _failures.Enqueue(failure.Message + (failure.InnerException is { } why ? " " + why.Message : ""));
                return null;
            }
        }
    }
}
