using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution;

internal enum FileKind { Regular, Folder, Link, Other }

/// <summary>What <c>statx</c> says about one path. <see cref="AllocatedBytes"/> is what it takes on disk, so holes in sparse files are free.</summary>
internal readonly record struct FileFacts(FileKind Kind, long Size, long AllocatedBytes, uint Links, ulong Inode, ulong Device);

/// <summary>The few system calls that the base library does not offer. Linux only; callers check.</summary>
internal static class Native
{
    private const int AtCurrentFolder = -100;
    private const int AtNoFollow = 0x100;
    private const uint BasicStats = 0x7ff;
    private const int SigKill = 9;
    private const int SigTerminate = 15;
    private const int ThreadCpuClock = 3;
    private const int CrossDevice = 18;
    private const uint MemoryFileCloseOnExec = 1;

    // O_NOFOLLOW is one of the few open flags whose value differs between architectures.
    private static readonly int _noFollow = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    public static bool IsRoot { get; } = OperatingSystem.IsLinux() && geteuid() == 0;

    /// <summary>Facts about a path without following a final link (unless asked to); null when it does not exist or may not be looked at.</summary>
    public static FileFacts? Stat(string path, bool follow = false)
    {
        var buffer = new byte[256];
        if (statx(AtCurrentFolder, path, follow ? 0 : AtNoFollow, BasicStats, buffer) != 0)
            return null;
        ReadOnlySpan<byte> raw = buffer;
        var kind = (BinaryPrimitives.ReadUInt16LittleEndian(raw[28..]) & 0xF000) switch
        {
            0x8000 => FileKind.Regular,
            0x4000 => FileKind.Folder,
            0xA000 => FileKind.Link,
            _ => FileKind.Other,
        };
        return new FileFacts(
            kind,
            BinaryPrimitives.ReadInt64LittleEndian(raw[40..]),
            BinaryPrimitives.ReadInt64LittleEndian(raw[48..]) * 512,
            BinaryPrimitives.ReadUInt32LittleEndian(raw[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(raw[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(raw[136..]));
    }

    /// <summary>Opens for reading; a link in the last place or a pipe without writer never blocks or redirects us. Throws <see cref="IOException"/>.</summary>
    public static SafeFileHandle OpenNoFollow(string path)
    {
        var descriptor = open(path, _noFollow | NonBlocking | CloseOnExec, 0);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw new IOException($"Cannot open {path}: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    /// <summary>A file without a name that lives in memory and ends with its last descriptor. Throws <see cref="IOException"/>.</summary>
    public static SafeFileHandle MemoryFile(string label)
    {
        var descriptor = memfd_create(label, MemoryFileCloseOnExec);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw new IOException($"Cannot make a file in memory: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    /// <summary>Gives a path (never a link's target) to another owner. Throws <see cref="IOException"/>.</summary>
    public static void ChangeOwner(string path, uint user, uint group)
    {
        if (lchown(path, user, group) != 0)
            throw new IOException($"Cannot give {path} to user {user}: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    /// <summary>rename(2), replacing a file at the target; false when the two lie on different file systems. Throws <see cref="IOException"/> for any other failure.</summary>
    public static bool TryRename(string from, string to)
    {
        if (rename(from, to) == 0)
            return true;
        return Marshal.GetLastPInvokeError() == CrossDevice ? false : throw new IOException($"Cannot move {from} to {to}: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    /// <summary>SIGKILL; a process that is already gone is no error.</summary>
    public static void Kill(int process) => _ = process > 1 ? kill(process, SigKill) : 0;

    /// <summary>SIGTERM; false when the process is gone.</summary>
    public static bool Terminate(int process) => process > 1 && kill(process, SigTerminate) == 0;

    /// <summary>CPU time of the calling thread; zero where the clock does not exist.</summary>
    public static TimeSpan ThreadCpu()
    {
        var time = new long[2];
        return OperatingSystem.IsLinux() && clock_gettime(ThreadCpuClock, time) == 0
            ? TimeSpan.FromSeconds(time[0]) + TimeSpan.FromTicks(time[1] / 100)
            : TimeSpan.Zero;
    }

    [DllImport("libc"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint geteuid();

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int statx(int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, [Out] byte[] buffer);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mode);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int memfd_create([MarshalAs(UnmanagedType.LPUTF8Str)] string name, uint flags);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int lchown([MarshalAs(UnmanagedType.LPUTF8Str)] string path, uint user, uint group);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int rename([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int process, int signal);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int clock_gettime(int clock, [Out] long[] time);
}
