using System.Collections.Concurrent;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>Free space of the file systems that hold work folders, looked up at most every 20 ms however many attempts ask.</summary>
internal sealed class DiskSpace(TimeProvider time)
{
    private static readonly TimeSpan _fresh = TimeSpan.FromMilliseconds(20);
    private readonly ConcurrentDictionary<string, (long At, long Bytes)> _seen = new(StringComparer.Ordinal);

    /// <param name="folder">A work folder; those with the same parent lie on the same file system.</param>
    public long FreeBytes(string folder)
    {
        var parent = Path.GetDirectoryName(Path.GetFullPath(folder)) ?? folder;
        if (_seen.TryGetValue(parent, out var last) && time.GetElapsedTime(last.At) < _fresh)
            return last.Bytes;
        var bytes = new DriveInfo(parent).AvailableFreeSpace;
        _seen[parent] = (time.GetTimestamp(), bytes);
        return bytes;
    }
}
