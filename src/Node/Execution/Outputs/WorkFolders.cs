using System.Text;

namespace FogCompute.Node.Execution.Outputs;

/// <summary>Care for folders that a payload had in its hands.</summary>
public static class WorkFolders
{
    /// <summary>
    /// Removes a work folder even when the payload took its own permissions away (an agent that is not root cannot list such folders). Links
    /// are removed, not followed. A folder that does not exist is no error.
    /// </summary>
    public static void Remove(string folder)
    {
        // What vanishes while we are at it, somebody else has removed, which is what we wanted.
        for (var tries = 0; Directory.Exists(folder); tries++)
        {
            try
            {
                OpenUpAll(folder);
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception gone) when (gone is DirectoryNotFoundException or FileNotFoundException && tries < 5)
            {
                continue;
            }
        }
    }

    /// <summary>Whether the folder exists with nothing in it.</summary>
    public static bool IsEmpty(string folder)
    {
        if (!Directory.Exists(folder))
            return false;
        OpenUp(folder);
        return !Directory.EnumerateFileSystemEntries(folder).Any();
    }

    /// <summary>What the folder takes on disk: allocated blocks, each hard-linked file once, and 256 bytes for every entry so that empty files count too; <see cref="long.MaxValue"/> when it is nested too deep to be looked at.</summary>
    internal static long AllocatedBytes(string folder, CancellationToken stop)
    {
        long sum = 0;
        HashSet<ulong> linked = [];
        HashSet<string> opened = [];
        Stack<string> open = new([folder]);
        while (open.TryPop(out var next))
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                foreach (var entry in Directory.EnumerateFileSystemEntries(next))
                {
                    if (Native.Stat(entry) is not { } facts)
                    {
                        // What cannot be named cannot be measured, and would hide any amount.
                        if (Encoding.UTF8.GetByteCount(entry) >= LongestName)
                            return long.MaxValue;
                        // Gone between listing and looking: the payload is running.
                        continue;
                    }
                    sum += 256 + (facts.Links > 1 && facts.Kind == FileKind.Regular && !linked.Add(facts.Inode) ? 0 : facts.AllocatedBytes);
                    if (facts.Kind == FileKind.Folder)
                        open.Push(entry);
                }
            }
            catch (PathTooLongException)
            {
                return long.MaxValue;
            }
            catch (Exception gone) when (gone is DirectoryNotFoundException or FileNotFoundException)
            {
                continue;
            }
            catch (Exception locked) when (locked is UnauthorizedAccessException or IOException)
            {
                // Locked by its owner, who may be our payload: look again once it is open.
                OpenUp(next);
                if (opened.Add(next))
                    open.Push(next);
            }
        }
        return sum;
    }

    /// <summary>Gives the folder and what is in it to the user the payload will run as; the group stays root so that the sandbox set-up can enter.</summary>
    internal static void GiveTo(string folder, uint user)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Sandboxes need Linux.");
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute);
        Native.ChangeOwner(folder, user, 0);
        foreach (var entry in Directory.EnumerateFileSystemEntries(folder, "*", new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.None,
            IgnoreInaccessible = false,
        }))
            Native.ChangeOwner(entry, user, user);
    }

    /// <summary>Moves every entry of one folder into another: a rename each, or a copy where they lie on different file systems. Links are moved as they are.</summary>
    internal static void MoveContents(string from, string to)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(from).ToList())
        {
            var target = Path.Combine(to, Path.GetFileName(entry));
            if (Native.TryRename(entry, target))
                continue;
            switch (Native.Stat(entry))
            {
                case { Kind: FileKind.Folder }:
                    Directory.CreateDirectory(target);
                    MoveContents(entry, target);
                    Directory.Delete(entry);
                    break;
                case { Kind: FileKind.Link }:
                    File.CreateSymbolicLink(target, new FileInfo(entry).LinkTarget!);
                    File.Delete(entry);
                    break;
                case { Kind: FileKind.Regular }:
                    File.Move(entry, target, overwrite: true);
                    break;
                default:
                    throw new IOException($"Cannot move {entry} to {target}: it is neither file, folder nor link.");
            }
        }
    }

    /// <summary>Makes a folder listable again for us, its owner; root can list everything anyway.</summary>
    internal static void OpenUp(string folder)
    {
        if (!OperatingSystem.IsWindows() && !Native.IsRoot && Native.Stat(folder) is { Kind: FileKind.Folder })
            File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Makes a file readable again for us, its owner.</summary>
    internal static void OpenUpFile(string file)
    {
        if (!OperatingSystem.IsWindows() && !Native.IsRoot)
            File.SetUnixFileMode(file, File.GetUnixFileMode(file) | UnixFileMode.UserRead);
    }

    /// <summary>
    /// Makes everything below listable and short enough to be named: a payload can nest folders beyond the longest path the kernel takes, and then
    /// nobody can delete them by name. Folders that far down are moved up first.
    /// </summary>
    private static void OpenUpAll(string folder)
    {
        var moved = 0;
        Stack<string> open = new([folder]);
        while (open.TryPop(out var next))
        {
            OpenUp(next);
            foreach (var child in Directory.EnumerateDirectories(next).ToList())
            {
                if (Native.Stat(child) is not { Kind: FileKind.Folder })
                    continue;
                var path = child;
                if (child.Length > folder.Length + LongestPath)
                {
                    OpenUp(child);
                    path = Path.Combine(folder, $".fog-moved-{++moved}");
                    Native.TryRename(child, path);
                }
                open.Push(path);
            }
        }
    }

    // PATH_MAX with the terminating zero.
    private const int LongestName = 4095;

    // Half of PATH_MAX: a name of at most 255 bytes below it can still be reached.
    private const int LongestPath = 2000;
}
