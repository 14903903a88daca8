using System.Buffers;
using System.Formats.Tar;
using System.Globalization;
using System.Text;

namespace FogCompute.Node.Execution.Outputs;

/// <summary>A checkpoint that cannot be packed or restored; the message is for the requester.</summary>
public sealed class CheckpointException(string message) : Exception(message);

/// <summary>
/// A checkpoint folder as one tar file (GNU format): folders and regular files in ordinal order, no owners, no times, so that equal folders make
/// equal archives. What is read back was written by another machine and is trusted in nothing: every header is checked here before anything is
/// created, and only folders and regular files are, below the target and within the size.
/// </summary>
public static class CheckpointArchive
{
    private const int Block = 512;
    private const int MostEntries = 100_000;

    /// <summary>Largest file, bytes: what twelve octal digits of a header hold.</summary>
    private const long LargestFile = (1L << 33) - 1;

    /// <summary>Longest path inside the folder, as for inputs.</summary>
    private const int LongestPath = 1024;
    private const UnixFileMode Folder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Packs the folder after its last process is gone. Links are never followed; one anywhere in it is refused.</summary>
    /// <param name="path">Of the folder, relative to the work folder.</param>
    /// <param name="most">Largest archive, bytes.</param>
    /// <exception cref="CheckpointException">It is not there, too large, or holds something else than files and folders.</exception>
    public static async Task PackAsync(string workFolder, string path, string archive, long most, CancellationToken stop)
    {
        var folder = workFolder;
        foreach (var part in path.Split('/'))
        {
            folder = Path.Combine(folder, part);
            if (Native.Stat(folder) is not { Kind: FileKind.Folder })
                throw new CheckpointException($"The checkpoint folder '{path}' is gone, or not a folder.");
            WorkFolders.OpenUp(folder);
        }
        var entries = new SortedDictionary<string, FileFacts>(StringComparer.Ordinal);
        Walk(folder, entries, stop);
        var size = 2L * Block + entries.Sum(e => 4 * Block + e.Key.Length * 4L + (e.Value.Kind == FileKind.Regular ? e.Value.Size : 0));
        if (size > most)
            throw new CheckpointException($"The checkpoint takes about {size} bytes packed; {most} are allowed. Raise limits.disk_bytes or keep less.");
        await using var target = new FileStream(archive, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 17);
        await using var writer = new TarWriter(target, TarEntryFormat.Gnu);
        foreach (var (name, facts) in entries)
        {
            var absolute = Path.Combine(folder, name);
            var isFile = facts.Kind == FileKind.Regular;
            var entry = new GnuTarEntry(isFile ? TarEntryType.RegularFile : TarEntryType.Directory, isFile ? name : name + "/")
            {
                Uid = 0, Gid = 0, ModificationTime = DateTimeOffset.UnixEpoch, AccessTime = DateTimeOffset.UnixEpoch, ChangeTime = DateTimeOffset.UnixEpoch,
                Mode = Folder,
            };
            if (!isFile)
            {
                await writer.WriteEntryAsync(entry, stop);
                continue;
            }
            WorkFolders.OpenUpFile(absolute);
            await using var content = new FileStream(Native.OpenNoFollow(absolute), FileAccess.Read, 1 << 17);
            var executable = !OperatingSystem.IsWindows() && File.GetUnixFileMode(content.SafeFileHandle).HasFlag(UnixFileMode.UserExecute);
            entry.Mode = executable ? Folder : UnixFileMode.UserRead | UnixFileMode.UserWrite;
            entry.DataStream = content;
            await writer.WriteEntryAsync(entry, stop);
        }
    }

    /// <summary>Makes <paramref name="folder"/> what it was when it was packed; what lay in it goes.</summary>
    /// <param name="most">Most bytes the archive may have.</param>
    /// <exception cref="CheckpointException">The archive is malformed, too large, or holds anything but folders and regular files below the folder.</exception>
    public static async Task RestoreAsync(string archive, string folder, long most, CancellationToken stop)
    {
        WorkFolders.Remove(folder);
        Directory.CreateDirectory(folder);
        await using var source = new FileStream(archive, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17);
        if (source.Length > most)
            throw new CheckpointException($"The checkpoint has {source.Length} bytes; {most} are allowed.");
        var header = new byte[Block];
        string? longName = null;
        for (var entries = 0; ; entries++)
        {
            if (entries > 2 * MostEntries)
                throw new CheckpointException($"The checkpoint has more than {MostEntries} entries.");
            await ReadAsync(source, header, stop);
            if (!header.AsSpan().ContainsAnyExcept((byte)0))
                return;
            if (!header.AsSpan(257, 5).SequenceEqual("ustar"u8))
                throw Malformed("a header is not that of a tar entry");
            var size = Octal(header.AsSpan(124, 12));
            if (size > source.Length - source.Position)
                throw Malformed("an entry is longer than the archive");
            switch ((char)header[156])
            {
                case 'L' when longName is null && size is > 0 and <= LongestPath * 4:
                    var name = new byte[size];
                    await ReadAsync(source, name, stop);
                    longName = Text(name);
                    Skip(source, size);
                    continue;
                case '0' or '\0':
                    await FileAsync(source, folder, Target(folder, longName ?? Text(header.AsSpan(0, 100))), size, (Octal(header.AsSpan(100, 8)) & 0x40) != 0, stop);
                    Skip(source, size);
                    break;
                case '5' when size == 0:
                    var below = Target(folder, (longName ?? Text(header.AsSpan(0, 100))).TrimEnd('/'));
                    Create(below, folder, () => Directory.CreateDirectory(below));
                    break;
                default:
                    throw new CheckpointException("The checkpoint holds something else than files and folders.");
            }
            longName = null;
        }
    }

    private static void Walk(string root, SortedDictionary<string, FileFacts> found, CancellationToken stop)
    {
        Stack<string> open = new([""]);
        while (open.TryPop(out var next))
        {
            stop.ThrowIfCancellationRequested();
            var folder = Path.Combine(root, next);
            WorkFolders.OpenUp(folder);
            foreach (var absolute in Directory.EnumerateFileSystemEntries(folder))
            {
                var path = next.Length == 0 ? Path.GetFileName(absolute) : next + "/" + Path.GetFileName(absolute);
                if (!IsInside(path) || Native.Stat(absolute) is not { } facts)
                    throw new CheckpointException($"The checkpoint has an entry whose name cannot be kept: '{path}'. Names are UTF-8, without backslash, paths at most {LongestPath} characters.");
                if (facts.Kind is not (FileKind.Regular or FileKind.Folder))
                    throw new CheckpointException($"'{path}' in the checkpoint is a link, pipe, socket or device. Only files and folders are kept.");
                if (facts.Kind == FileKind.Regular && facts.Size > LargestFile)
                    throw new CheckpointException($"'{path}' in the checkpoint has {facts.Size} bytes; a file may have {LargestFile}.");
                found[path] = facts;
                if (found.Count > MostEntries)
                    throw new CheckpointException($"The checkpoint has more than {MostEntries} files and folders.");
                if (facts.Kind == FileKind.Folder)
                    open.Push(path);
            }
        }
    }

    private static bool IsInside(string path) =>
        path.Length is > 0 and <= LongestPath && !path.Contains('\\') && !path.Contains('\0') && path.Split('/').All(part => part is not ("" or "." or ".."));

    private static string Target(string folder, string path) =>
        IsInside(path) ? Path.Combine(folder, path) : throw new CheckpointException($"The checkpoint has a path that leaves its folder or is malformed: '{path}'.");

    private static async Task FileAsync(FileStream source, string folder, string path, long size, bool executable, CancellationToken stop)
    {
        FileStream? made = null;
        Create(path, folder, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 1 << 17 };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = executable ? Folder : UnixFileMode.UserRead | UnixFileMode.UserWrite;
            made = new FileStream(path, options);
        });
        await using var target = made!;
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 17);
        try
        {
            for (var left = size; left > 0;)
            {
                var part = buffer.AsMemory(0, (int)Math.Min(left, buffer.Length));
                await ReadAsync(source, part, stop);
                await target.WriteAsync(part, stop);
                left -= part.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The folder was empty, so whatever is in the way came from the archive. Other faults (a full disk) are the device's.</summary>
    private static void Create(string path, string folder, Action create)
    {
        try
        {
            create();
        }
        catch (IOException) when (Native.Stat(path) is not null || HasFileAbove(path, folder))
        {
            throw new CheckpointException($"The checkpoint has two entries at the same place: '{Path.GetRelativePath(folder, path)}'.");
        }
    }

    private static bool HasFileAbove(string path, string folder)
    {
        while ((path = Path.GetDirectoryName(path)!).Length > folder.Length)
            if (Native.Stat(path) is { Kind: not FileKind.Folder })
                return true;
        return false;
    }

    private static async Task ReadAsync(Stream source, Memory<byte> buffer, CancellationToken stop)
    {
        if (await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, stop) < buffer.Length)
            throw Malformed("it ends in the middle");
    }

    private static void Skip(Stream source, long size) => source.Seek((Block - size % Block) % Block, SeekOrigin.Current);

    private static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        try
        {
            return _strict.GetString(end < 0 ? field : field[..end]);
        }
        catch (DecoderFallbackException)
        {
            throw Malformed("a name is not UTF-8");
        }
    }

    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static long Octal(ReadOnlySpan<byte> field)
    {
        long value = 0;
        foreach (var digit in field.Trim("\0 "u8))
            value = digit is >= (byte)'0' and <= (byte)'7' ? value * 8 + digit - '0' : throw Malformed("a number is not octal");
        return value;
    }

    private static CheckpointException Malformed(string how) => new(string.Create(CultureInfo.InvariantCulture, $"The checkpoint is not a readable archive: {how}."));
}
