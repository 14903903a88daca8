using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Artifacts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;

namespace FogCompute.Infrastructure.Artifacts;

/// <summary>
/// <c>blobs/ab/cd/&lt;sha256&gt;</c> for contents, <c>partial/&lt;uploader&gt;/&lt;sha256&gt;.part</c> for unfinished uploads, side by side so that the
/// rename between them is atomic. A partial is locked (flock) while it is written; a second upload of the same content by the same uploader at the
/// same time goes to a file of its own and cannot be resumed. Cost of an upload: one pass over the bytes, hashed on the way; a resumed one is
/// read once more at its end.
/// </summary>
internal sealed class ArtifactStore : IArtifactStore
{
    private const int BufferBytes = 128 * 1024;
    private const int ShortestName = 32;

    private readonly ArtifactOptions _options;
    private readonly TimeProvider _clock;
    private readonly string _blobs;
    private readonly string _partials;

    public ArtifactStore(ArtifactOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        _blobs = Path.Combine(options.Folder, "blobs");
        _partials = Path.Combine(options.Folder, "partial");
    }

    public bool Has(ArtifactDigest digest) => File.Exists(PathOf(digest));

    public Stream? OpenRead(ArtifactDigest digest)
    {
        try
        {
            return new FileStream(PathOf(digest), new FileStreamOptions
            {
                Mode = FileMode.Open, Access = FileAccess.Read, Share = FileShare.ReadWrite | FileShare.Delete, Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 0,
            });
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public long PartialLength(ArtifactDigest digest, string uploader)
    {
        var file = new FileInfo(PartialOf(digest, uploader));
        return file.Exists ? file.Length : 0;
    }

    public long PartialBytes(string uploader, ArtifactDigest except)
    {
        var own = PartialOf(except, uploader);
        var folder = new DirectoryInfo(Path.GetDirectoryName(own)!);
        return folder.Exists ? folder.EnumerateFiles().Where(f => f.FullName != own).Sum(LengthOf) : 0;
    }

    public async Task<Received> ReceiveAsync(
        ArtifactDigest digest, string uploader, UploadRange range, long? room, Stream body, Func<long, Action, Task<bool>> keep, CancellationToken cancel)
    {
        if ((range.Total ?? range.Length ?? 0) > _options.MaxBytes)
            throw new FogException(ArtifactErrors.TooLarge(_options.MaxBytes));
        var path = PartialOf(digest, uploader);
        try
        {
            MakeFolder(Path.GetDirectoryName(path)!);
            var file = Lock(path);
            if (file is null)
            {
                if (range.Continues)
                    throw new FogException(ArtifactErrors.UploadInProgress);
                path = Path.ChangeExtension(path, Guid.NewGuid().ToString("N") + ".tmp");
                file = Lock(path) ?? throw new FogException(ArtifactErrors.UploadInProgress);
            }
            await using (file)
                return await ReceiveAsync(digest, range, room, body, keep, file, path, cancel);
        }
        catch (IOException failure) when (IsDiskFull(failure))
        {
            throw new FogException(ArtifactErrors.DiskFull, inner: failure) { RetryAfter = TimeSpan.FromSeconds(60) };
        }
        finally
        {
            // Nobody can find a file of this name again.
            if (path.EndsWith(".tmp", StringComparison.Ordinal))
                File.Delete(path);
        }
    }

    private async Task<Received> ReceiveAsync(
        ArtifactDigest digest, UploadRange range, long? room, Stream body, Func<long, Action, Task<bool>> keep, FileStream file, string path, CancellationToken cancel)
    {
        if (range.Continues && file.Length != range.First)
            return new Received(Complete: false, file.Length) { WrongOffset = true };
        if (!range.Continues)
            file.SetLength(0);
        file.Seek(range.First, SeekOrigin.Begin);

        // A fresh upload is hashed on its way in; of a continued one this process has not seen the beginning.
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (await CopyAsync(body, file, hash, range, room, cancel) is not { } written)
        {
            File.Delete(path);
            return new Received(Complete: false, room!.Value) { Refused = true };
        }
        var size = range.First + written;
        if (range.Length is { } announced && written != announced)
            throw new FogException(ArtifactErrors.Incomplete);
        if (range.Total is { } total && size < total)
        {
            await file.FlushAsync(cancel);
            return new Received(Complete: false, size);
        }

        file.Flush(flushToDisk: true);
        if (range.First > 0)
        {
            file.Seek(0, SeekOrigin.Begin);
            await HashAsync(file, hash, cancel);
        }
        if (!CryptographicOperations.FixedTimeEquals(hash.GetHashAndReset(), digest.Bytes))
        {
            File.Delete(path);
            throw new FogException(ArtifactErrors.HashMismatch);
        }
        var home = PathOf(digest);
        MakeFolder(Path.GetDirectoryName(home)!);
        var kept = false;
        try
        {
            kept = await keep(size, () =>
            {
                // Two uploads of one content may both get here: they rename the same bytes onto the same name.
                File.Move(path, home, overwrite: true);
                Directories.Flush(Path.GetDirectoryName(home)!);
            });
        }
        catch (FogException refusal) when (refusal.Error.Kind != ErrorKind.Unavailable)
        {
            File.Delete(path);
            throw;
        }
        if (!kept)
            File.Delete(path);
        return new Received(kept, size) { Refused = !kept };
    }

    /// <summary>Null: there was no room for all of it.</summary>
    private async Task<long?> CopyAsync(Stream body, FileStream file, IncrementalHash hash, UploadRange range, long? room, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long written = 0;
            int read;
            while ((read = await body.ReadAsync(buffer.AsMemory(0, BufferBytes), cancel)) > 0)
            {
                if (range.Length is { } most && written + read > most)
                    throw ArtifactErrors.InvalidRange.On("content_range");
                if (range.First + written + read > _options.MaxBytes)
                {
                    file.SetLength(0);
                    throw new FogException(ArtifactErrors.TooLarge(_options.MaxBytes));
                }
                if (range.First + written + read > room)
                    return null;
                await file.WriteAsync(buffer.AsMemory(0, read), cancel);
                if (range.First == 0)
                    hash.AppendData(buffer, 0, read);
                written += read;
            }
            return written;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task HashAsync(FileStream file, IncrementalHash hash, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            int read;
            while ((read = await file.ReadAsync(buffer.AsMemory(0, BufferBytes), cancel)) > 0)
                hash.AppendData(buffer, 0, read);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>0 when somebody has just finished or deleted it.</summary>
    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }

    public int DeleteStalePartials()
    {
        if (!Directory.Exists(_partials))
            return 0;
        var before = _clock.GetUtcNow() - ArtifactOptions.PartialLifetime;
        var deleted = 0;
        foreach (var path in Directory.EnumerateFiles(_partials, "*", SearchOption.AllDirectories))
        {
            if (new FileInfo(path).LastWriteTimeUtc >= before.UtcDateTime)
                continue;
            // Whoever holds the lock is writing just now, however slowly.
            using var mine = Lock(path);
            if (mine is null)
                continue;
            File.Delete(path);
            deleted++;
        }
        return deleted;
    }

    /// <summary>Opens and locks; null when somebody else holds it.</summary>
    private static FileStream? Lock(string path)
    {
        while (true)
        {
            FileStream file;
            try
            {
                file = new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = FileOptions.Asynchronous, BufferSize = 0,
                });
            }
            catch (IOException held) when (held is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException) && !IsDiskFull(held))
            {
                return null;
            }
            if (IsStillNamed(file, path))
                return file;
            file.Dispose();
        }
    }

    /// <summary>
    /// Between opening and locking, the holder before us may have renamed the file to its final name (writing to it would then destroy a
    /// verified content) or deleted it. Linux tells what an open file is called now.
    /// </summary>
    private static bool IsStillNamed(FileStream file, string path) =>
        !OperatingSystem.IsLinux()
        || new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}").LinkTarget?.EndsWith(Path.GetFileName(path), StringComparison.Ordinal) == true;

    private static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private string PathOf(ArtifactDigest digest) => Path.Combine(_blobs, digest.Hex[..2], digest.Hex[2..4], digest.Hex);

    private string PartialOf(ArtifactDigest digest, string uploader) =>
        Path.Combine(_partials, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(uploader)))[..ShortestName], digest.Hex + ".part");

    /// <summary>No room on the disk, or in the quota.</summary>
    internal static bool IsDiskFull(IOException failure)
    {
        const int enospc = 28;
        const int edquot = 122;
        const int windowsDiskFull = unchecked((int)0x80070070);
        return failure.HResult is enospc or edquot or windowsDiskFull;
    }
}

/// <summary>The names in a folder survive a power cut only when the folder itself is flushed, which .NET cannot do.</summary>
internal static class Directories
{
    private const int ReadOnly = 0;

    public static void Flush(string path)
    {
        if (!OperatingSystem.IsLinux())
            return;
        var handle = Open(Encoding.UTF8.GetBytes(path + '\0'), ReadOnly);
        if (handle < 0)
            throw new IOException($"The folder of an artifact cannot be opened (errno {Marshal.GetLastPInvokeError()}).", Marshal.GetLastPInvokeError());
        try
        {
            if (Sync(handle) != 0)
                throw new IOException($"The folder of an artifact cannot be flushed (errno {Marshal.GetLastPInvokeError()}).", Marshal.GetLastPInvokeError());
        }
        finally
        {
            _ = Close(handle);
        }
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open(byte[] path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sync(int handle);

    [DllImport("libc", EntryPoint = "close"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int handle);
}
