using System.Diagnostics;
using System.Security.Cryptography;
using FogCompute.Application.Artifacts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Artifacts;
using Microsoft.Extensions.Caching.Distributed;
using Npgsql;

namespace FogCompute.Infrastructure.Benchmarks;

/// <summary>What a benchmark does until it is cancelled.</summary>
internal interface IBenchmarkLoad
{
    /// <param name="run">Of which the names of things made on the way are.</param>
    /// <param name="account">Who pays.</param>
    Task RunAsync(Guid run, AccountId account, Measurements to, CancellationToken cancel);
}

/// <summary>Round trips one after the other, at most 50 a second each, so that they measure the way and not the queue before it.</summary>
internal sealed class LatencyLoad(NpgsqlDataSource database, IDistributedCache? cache, NoopJobs jobs, TimeProvider time) : IBenchmarkLoad
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    public const string NoDevice = "No device answered.";
    private static readonly TimeSpan DevicePatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DevicePause = TimeSpan.FromMilliseconds(200);
    private static readonly DistributedCacheEntryOptions Brief = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) };

    public Task RunAsync(Guid run, AccountId account, Measurements to, CancellationToken cancel)
    {
        to.Declare("database", "ms");
        to.Declare("cache", "ms");
        to.Declare("device", "ms");
        return Task.WhenAll(DatabaseAsync(database, to, time, cancel), CacheAsync(run, to, cancel), DeviceAsync(account, to, cancel));
    }

    public static async Task DatabaseAsync(NpgsqlDataSource database, Measurements to, TimeProvider time, CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            await command.ExecuteScalarAsync(cancel);
            to.Latency("database", Stopwatch.GetElapsedTime(started));
            await Task.Delay(Pace, time, cancel);
        }
    }

    private async Task CacheAsync(Guid run, Measurements to, CancellationToken cancel)
    {
        if (cache is null)
        {
            to.Note("cache", "This control plane has no cache.");
            return;
        }
        var (key, value) = ("benchmark:" + run, new byte[64]);
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            await cache.SetAsync(key, value, Brief, cancel);
            if (await cache.GetAsync(key, cancel) is null)
                to.Note("cache", "At least once it did not have what had just been put there.");
            to.Add("cache", Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            await Task.Delay(Pace, time, cancel);
        }
    }

    private async Task DeviceAsync(AccountId account, Measurements to, CancellationToken cancel)
    {
        to.Note("device", NoDevice);
        while (true)
        {
            var (took, why) = await jobs.RunAsync(account, 1, DevicePatience, cancel);
            if (took is { } way)
                to.Add("device", way.TotalMilliseconds);
            to.Note("device", why);
            await Task.Delay(took is null ? DevicePatience : DevicePause, time, cancel);
        }
    }
}

/// <summary>Artifacts through a store of its own beside the real one (same code, same disk, deleted afterwards), and arrays of tasks that do nothing.</summary>
internal sealed class ThroughputLoad(ArtifactOptions artifacts, NoopJobs jobs, TimeProvider time) : IBenchmarkLoad
{
    private const int ArtifactBytes = 4 << 20;
    private const int Tasks = 100;
    private const double Megabyte = 1e6;
    private const string FolderPrefix = "benchmark-";

    /// <summary>As long as a run may be silent before it counts as interrupted: by then nobody writes there.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DispatchPatience = TimeSpan.FromSeconds(30);

    public async Task RunAsync(Guid run, AccountId account, Measurements to, CancellationToken cancel)
    {
        to.Declare("upload", "MB/s");
        to.Declare("download", "MB/s");
        to.Note("download", "Read right after it was written, so from memory rather than from the disk.");
        to.Declare("dispatch", "tasks/s");
        DeleteLeftovers();
        var folder = Path.Combine(artifacts.Folder, FolderPrefix + run.ToString("N"));
        try
        {
            await Task.WhenAll(TransferAsync(folder, to, cancel), DispatchAsync(account, to, cancel));
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What is left of runs whose process was killed.</summary>
    private void DeleteLeftovers()
    {
        if (!Directory.Exists(artifacts.Folder))
            return;
        foreach (var folder in Directory.GetDirectories(artifacts.Folder, FolderPrefix + "*").Where(f => Directory.GetLastWriteTimeUtc(f) < (time.GetUtcNow() - Abandoned).UtcDateTime))
            Directory.Delete(folder, recursive: true);
    }

    private async Task TransferAsync(string folder, Measurements to, CancellationToken cancel)
    {
        var store = new ArtifactStore(new ArtifactOptions(folder, ArtifactBytes), time);
        var content = new byte[ArtifactBytes];
        var buffer = new byte[128 * 1024];
        RandomNumberGenerator.Fill(content); // Contents that no disk compresses.
        for (var round = 0; ; round++)
        {
            BitConverter.TryWriteBytes(content, round); // Another content each time: what is there is not written again.
            if (!ArtifactDigest.TryParse(Convert.ToHexStringLower(SHA256.HashData(content)), out var digest))
                throw new InvalidOperationException("A SHA-256 is no digest.");
            using var body = new MemoryStream(content, writable: false);
            var started = Stopwatch.GetTimestamp();
            await store.ReceiveAsync(digest, "benchmark", new UploadRange(0, ArtifactBytes, ArtifactBytes, Continues: false), room: null, body, (_, appear) =>
            {
                appear();
                return Task.FromResult(true);
            }, cancel);
            to.Add("upload", ArtifactBytes / Megabyte, Stopwatch.GetElapsedTime(started));
            to.Moved(ArtifactBytes / Megabyte);

            started = Stopwatch.GetTimestamp();
            await using (var stored = store.OpenRead(digest) ?? throw new InvalidOperationException("An artifact that was just stored is not there."))
            {
                while (await stored.ReadAsync(buffer, cancel) > 0)
                {
                    // Reading is the measurement.
                }
            }
            to.Add("download", ArtifactBytes / Megabyte, Stopwatch.GetElapsedTime(started));
            to.Moved(ArtifactBytes / Megabyte);
            Directory.Delete(folder, recursive: true);
            await Task.Delay(TimeSpan.FromMilliseconds(1), time, cancel); // Others get a turn.
        }
    }

    private async Task DispatchAsync(AccountId account, Measurements to, CancellationToken cancel)
    {
        to.Note("dispatch", LatencyLoad.NoDevice);
        while (true)
        {
            var (took, why) = await jobs.RunAsync(account, Tasks, DispatchPatience, cancel);
            to.Note("dispatch", why);
            if (took is { } whole)
                to.Add("dispatch", Tasks, whole);
            else
                await Task.Delay(DispatchPatience, time, cancel);
        }
    }
}

/// <summary>
/// Hashing on all cores but one (on a machine with one core, half of the time), each over a buffer of its own, together at most 256 MiB or a
/// tenth of the memory. A worker looks up after each MiB, so it ends within milliseconds.
/// </summary>
internal sealed class StressLoad(NpgsqlDataSource database, TimeProvider time) : IBenchmarkLoad
{
    private const int Step = 1 << 20;
    private const long MostMemory = 256L << 20;
    private static readonly TimeSpan Sample = TimeSpan.FromMilliseconds(50);

    public static int Workers(int cores) => Math.Max(1, cores - 1);

    public async Task RunAsync(Guid run, AccountId account, Measurements to, CancellationToken cancel)
    {
        to.Declare("hashing", "MB/s");
        to.Declare("database", "ms");
        var cores = Environment.ProcessorCount;
        var bytes = (int)Math.Clamp(Math.Min(MostMemory, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 10) / Workers(cores), Step, 64L << 20);
        to.Note("hashing", $"{Workers(cores)} of {cores} cores, {(long)bytes * Workers(cores) >> 20} MiB.");
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = Workers(cores);
        for (var worker = 0; worker < Workers(cores); worker++)
        {
            // Threads of their own: the pool that serves requests keeps all of its threads.
            new Thread(() =>
            {
                try
                {
                    Hash(bytes, cores == 1, to, cancel);
                }
                catch (Exception failure)
                {
                    ended.TrySetException(failure);
                }
                if (Interlocked.Decrement(ref left) == 0)
                    ended.TrySetResult();
            }) { IsBackground = true, Priority = ThreadPriority.BelowNormal, Name = "benchmark" }.Start();
        }
        await Task.WhenAll(ended.Task, LatencyLoad.DatabaseAsync(database, to, time, cancel));
    }

    private static void Hash(int bytes, bool halfOfTheTime, Measurements to, CancellationToken cancel)
    {
        var memory = new byte[bytes];
        memory.AsSpan().Fill(1); // So that there is memory behind it.
        Span<byte> hash = stackalloc byte[32];
        var (megabytes, worked) = (0.0, TimeSpan.Zero);
        for (var at = 0; !cancel.IsCancellationRequested; at = at + (2 * Step) <= bytes ? at + Step : 0)
        {
            var started = Stopwatch.GetTimestamp();
            SHA256.HashData(memory.AsSpan(at, Step), hash);
            hash.CopyTo(memory.AsSpan(at)); // So that the pages are written as well.
            var took = Stopwatch.GetElapsedTime(started);
            (megabytes, worked) = (megabytes + (Step / 1e6), worked + took);
            if (worked > Sample || cancel.IsCancellationRequested)
            {
                to.Add("hashing", megabytes, worked);
                to.Moved(megabytes);
                (megabytes, worked) = (0, TimeSpan.Zero);
            }
            if (halfOfTheTime)
                cancel.WaitHandle.WaitOne(took);
        }
    }
}
