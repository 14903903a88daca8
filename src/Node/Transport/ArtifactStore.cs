using System.Net;
using System.Security.Cryptography;
using FogCompute.Node.State;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>An artifact the payload needs does not exist on the control plane: the requester's mistake, not the device's.</summary>
public sealed class InputMissingException(string sha256) : Exception($"The input artifact {sha256} does not exist on the control plane.");

/// <summary>An input path that would leave the work folder, or two inputs with the same path.</summary>
public sealed class InputPathException(string message) : Exception(message);

/// <summary>An artifact that the control plane will never accept (too large, over quota).</summary>
public sealed class UploadRefusedException(string message) : Exception(message);

/// <summary>
/// Moves artifacts between the control plane and this machine. Downloads resume, are verified against their hash and kept in a bounded
/// content-addressed cache (least recently used goes first); each is fetched once however many attempts ask for it. Uploads ask first what
/// the server has and go on from there.
/// </summary>
public sealed class ArtifactStore : IDisposable
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(30);

    private readonly ControlPlaneClient _client;
    private readonly string _cache;
    private readonly string _partial;
    private readonly long _capacity;
    private readonly TimeProvider _clock;
    private readonly Random _random;
    private readonly NodeLog _log;
    private readonly SemaphoreSlim _transfers = new(4);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = [];
    private long _bytes;

    private sealed class Entry
    {
        public long Size { get; set; }
        public long LastUse { get; set; }
        public int Pins { get; set; }
        public bool Ready { get; set; }
        public SemaphoreSlim Fetching { get; } = new(1);
    }

    /// <param name="capacity">Bytes the cache may hold, unless attempts that run now need more.</param>
    public ArtifactStore(ControlPlaneClient client, StateFolder folder, long capacity, TimeProvider clock, Random random, NodeLog log)
    {
        _client = client;
        _cache = folder.Cache;
        _partial = Path.Combine(folder.Cache, "partial");
        _capacity = capacity;
        _clock = clock;
        _random = random;
        _log = log;
        Directory.CreateDirectory(_partial);
        foreach (var file in new DirectoryInfo(_cache).EnumerateFiles().OrderBy(f => f.LastWriteTimeUtc))
        {
            _entries[file.Name] = new Entry { Size = file.Length, LastUse = file.LastWriteTimeUtc.Ticks, Ready = true };
            _bytes += file.Length;
        }
    }

    /// <summary>Keeps a cached artifact from being evicted; dispose to let it go.</summary>
    public sealed class Pinned(ArtifactStore store, string sha256, string path) : IDisposable
    {
        private int _released;

        /// <summary>File with the content. Read-only for everybody: other attempts share it.</summary>
        public string Path { get; } = path;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
                store.Release(sha256);
        }
    }

    /// <summary>
    /// Lays the inputs into the work folder. They are copied (by reference where the file system can), not hard-linked: a payload that
    /// writes into its input must not change what the next attempt gets.
    /// </summary>
    /// <exception cref="InputPathException">A path leaves the folder or occurs twice.</exception>
    /// <exception cref="InputMissingException">An artifact does not exist.</exception>
    public async Task StageAsync(IReadOnlyList<InputSpec> inputs, Guid attempt, string workFolder, CancellationToken stop)
    {
        var targets = new HashSet<string>(StringComparer.Ordinal);
        foreach (var input in inputs)
            if (!targets.Add(Resolve(workFolder, input.Path)))
                throw new InputPathException($"Two inputs have the path '{input.Path}'.");
        foreach (var input in inputs)
        {
            var target = Resolve(workFolder, input.Path);
            using var artifact = await AcquireAsync(input.Sha256, attempt, stop);
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(artifact.Path, target, overwrite: false);
            }
            catch (IOException error) when (File.Exists(target) || Directory.Exists(target) || error is DirectoryNotFoundException)
            {
                throw new InputPathException($"The input path '{input.Path}' collides with another input.");
            }
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.UserWrite | (input.Executable ? UnixFileMode.UserExecute : UnixFileMode.None));
        }
    }

    /// <summary>The absolute target of a relative input path.</summary>
    /// <exception cref="InputPathException">It is absolute, has empty, <c>.</c> or <c>..</c> parts, or odd characters.</exception>
    public static string Resolve(string workFolder, string path)
    {
        var parts = path.Split('/');
        if (path.Length is 0 or > 1024 || path.Contains('\\') || path.Contains('\0') || (path.Length > 1 && path[1] == ':')
            || parts.Any(part => part is "" or "." or ".."))
            throw new InputPathException($"The input path '{path}' is not a relative path inside the work folder.");
        return Path.Combine(workFolder, Path.Combine(parts));
    }

    /// <summary>The artifact's file in the cache, fetched if need be and pinned.</summary>
    /// <exception cref="InputMissingException">It does not exist.</exception>
    public async Task<Pinned> AcquireAsync(string sha256, Guid attempt, CancellationToken stop)
    {
        if (sha256.Length != 64 || !sha256.All(char.IsAsciiHexDigitLower))
            throw new InputPathException($"'{sha256}' is not a SHA-256 of 64 lower-case hex digits.");
        var path = Path.Combine(_cache, sha256);
        Entry entry;
        lock (_gate)
        {
            if (!_entries.TryGetValue(sha256, out entry!))
                _entries[sha256] = entry = new Entry();
            entry.Pins++;
            entry.LastUse = _clock.GetUtcNow().UtcTicks;
        }
        var pinned = new Pinned(this, sha256, path);
        try
        {
            await entry.Fetching.WaitAsync(stop);
            try
            {
                if (!entry.Ready)
                {
                    await FetchAsync(sha256, attempt, path, stop);
                    lock (_gate)
                    {
                        entry.Ready = true;
                        entry.Size = new FileInfo(path).Length;
                        _bytes += entry.Size;
                        Evict();
                    }
                }
            }
            finally
            {
                entry.Fetching.Release();
            }
            File.SetLastWriteTimeUtc(path, _clock.GetUtcNow().UtcDateTime);
            return pinned;
        }
        catch
        {
            pinned.Dispose();
            throw;
        }
    }

    /// <summary>Uploads a file; answers when the server has it. Retries with back-off until cancelled.</summary>
    /// <exception cref="UploadRefusedException">The server will never take it.</exception>
    public async Task UploadAsync(string sha256, Guid attempt, string file, CancellationToken stop)
    {
        var backoff = new Backoff(_clock, _random);
        var refusals = 0;
        while (true)
        {
            TimeSpan? wait = null;
            await _transfers.WaitAsync(stop);
            try
            {
                var state = await _client.HeadArtifactAsync(sha256, attempt, stop);
                if (!state.Complete)
                    await _client.UploadAsync(sha256, attempt, file, state.Offset < new FileInfo(file).Length ? state.Offset : 0, stop);
                return;
            }
            catch (ControlPlaneException error) when (error.Fault is ControlPlaneFault.Unreachable or ControlPlaneFault.Busy)
            {
                _log.Debug("upload_retry", "An upload failed and is tried again.", ("sha256", sha256), ("why", error.Message));
                wait = error.RetryAfter;
            }
            catch (ControlPlaneException error) when (error.Status is HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity && refusals++ < 3)
            {
                // Another offset than the server's, or a part of another try spoilt the hash: the next HEAD tells where to go on.
                _log.Debug("upload_resync", "The server wants the upload from another offset.", ("sha256", sha256), ("offset", error.UploadOffset));
            }
            catch (ControlPlaneException error) when (error.Fault is ControlPlaneFault.Refused or ControlPlaneFault.NotAllowed)
            {
                throw new UploadRefusedException(error.Message);
            }
            finally
            {
                _transfers.Release();
            }
            await backoff.WaitAsync(wait, stop);
        }
    }

    /// <summary>SHA-256 of a file, 64 lower-case hex digits.</summary>
    public static async Task<string> HashAsync(string file, CancellationToken stop)
    {
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 128 * 1024, FileOptions.SequentialScan);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, stop));
    }

    public void Dispose() => _transfers.Dispose();

    private async Task FetchAsync(string sha256, Guid attempt, string path, CancellationToken stop)
    {
        var partial = Path.Combine(_partial, sha256);
        var backoff = new Backoff(_clock, _random);
        for (var corrupt = 0; ;)
        {
            TimeSpan? wait = null;
            await _transfers.WaitAsync(stop);
            try
            {
                await _client.DownloadAsync(sha256, attempt, partial, IdleLimit, stop);
                if (await HashAsync(partial, stop) == sha256)
                {
                    File.Move(partial, path, overwrite: true);
                    return;
                }
                File.Delete(partial);
                if (++corrupt == 3)
                    throw new InvalidDataException($"The artifact {sha256} arrived three times with another content than its hash says.");
            }
            catch (ControlPlaneException error) when (error.Status is HttpStatusCode.NotFound or HttpStatusCode.Gone)
            {
                File.Delete(partial);
                throw new InputMissingException(sha256);
            }
            catch (ControlPlaneException error) when (error.Fault is ControlPlaneFault.Unreachable or ControlPlaneFault.Busy)
            {
                _log.Debug("download_retry", "A download failed and is resumed.", ("sha256", sha256), ("why", error.Message));
                wait = error.RetryAfter;
            }
            finally
            {
                _transfers.Release();
            }
            await backoff.WaitAsync(wait, stop);
        }
    }

    private void Release(string sha256)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(sha256, out var entry))
                return;
            entry.Pins--;
            if (entry is { Pins: 0, Ready: false })
                _entries.Remove(sha256);
            Evict();
        }
    }

    private void Evict()
    {
        while (_bytes > _capacity)
        {
            var (name, entry) = _entries.Where(e => e.Value is { Pins: 0, Ready: true }).OrderBy(e => e.Value.LastUse).FirstOrDefault();
            if (name is null)
                return;
            _entries.Remove(name);
            _bytes -= entry.Size;
            File.Delete(Path.Combine(_cache, name));
        }
    }
}
