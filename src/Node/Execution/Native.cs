using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution;

internal enum FileKind { Regular, Folder, Link, Other }

/// <summary>What <c>statx</c> says about one path. <see cref="AllocatedBytes"/> is what it takes on disk, so holes in sparse files are free.</summary>
internal readonly record struct FileFacts(FileKind Kind, long Size, long AllocatedBytes, uint Links, ulong Inode, ulong Device);

/// <summary>Flags of mount(2).</summary>
[Flags]
internal enum MountFlags
{
    None = 0,
    NoSetUser = 2,
    NoDevices = 4,
    Remount = 0x20,
    Bind = 0x1000,
    Private = 0x40000,
}

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
    private const int CloneFs = 0x200;
    private const int CloneNewMounts = 0x20000;
    private const int UnmountDetach = 2;
    private const int UnmountNoFollow = 8;
    private const uint OpenTreeClone = 1;
    private const uint MoveMountEmptySource = 4;

    // The same on every architecture.
    private const nint OpenTree = 428;
    private const nint MoveMount = 429;
    private const nint CloseRange = 436;
    private const nuint FirstOwnDescriptor = 3;
    private const nuint CloseRangeCloseOnExec = 4;

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

    /// <summary>
    /// Keeps descriptors that the agent itself was started with from its children; the runtime's own are kept already. Kernels before 5.11 cannot, and refuse.
    /// </summary>
    public static void KeepDescriptors() => _ = close_range(CloseRange, FirstOwnDescriptor, uint.MaxValue, CloseRangeCloseOnExec);

    /// <summary>Gives the calling thread a folder and root of its own, without which it cannot enter another mount namespace. Throws <see cref="IOException"/>.</summary>
    public static void LeaveSharedFolder() => Check(unshare(CloneFs), "leave the shared folder");

    /// <summary>Moves the calling thread into a mount namespace. Throws <see cref="IOException"/>.</summary>
    public static void EnterMounts(SafeFileHandle mountNamespace) => Check(setns(mountNamespace, CloneNewMounts), "enter a mount namespace");

    /// <summary>mount(2). Throws <see cref="IOException"/>.</summary>
    public static void Mount(string source, string target, string? kind, MountFlags flags, string? options) =>
        Check(mount(source, target, kind, (nuint)flags, options), $"mount {target}");

    /// <summary>Takes away what is mounted at the path, at once for new users. Throws <see cref="IOException"/>.</summary>
    public static void Unmount(string target) => Check(umount2(target, UnmountDetach | UnmountNoFollow), $"unmount {target}");

    /// <summary>A folder as a mount that is not attached yet. Throws <see cref="IOException"/>.</summary>
    public static SafeFileHandle CloneMount(string folder)
    {
        var descriptor = open_tree(OpenTree, AtCurrentFolder, folder, OpenTreeClone | CloseOnExec);
        return descriptor >= 0
            ? new SafeFileHandle((nint)descriptor, ownsHandle: true)
            : throw new IOException($"Cannot take {folder} for a mount: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    /// <summary>Attaches what <see cref="CloneMount"/> made. Throws <see cref="IOException"/>.</summary>
    public static void AttachMount(SafeFileHandle tree, string target) =>
        Check(move_mount(MoveMount, tree, "", AtCurrentFolder, target, MoveMountEmptySource) == 0 ? 0 : -1, $"mount {target}");

    private static void Check(int result, string what)
    {
        if (result != 0)
            throw new IOException($"Cannot {what}: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

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
    private static extern int unshare(int flags);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int setns(SafeFileHandle descriptor, int kind);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int mount([MarshalAs(UnmanagedType.LPUTF8Str)] string source, [MarshalAs(UnmanagedType.LPUTF8Str)] string target,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string? kind, nuint flags, [MarshalAs(UnmanagedType.LPUTF8Str)] string? options);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int umount2([MarshalAs(UnmanagedType.LPUTF8Str)] string target, int flags);

    // The library has names for these three only since 2.34 and 2.36.
    [DllImport("libc", EntryPoint = "syscall", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint close_range(nint number, nuint first, nuint last, nuint flags);

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint open_tree(nint number, nint folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, nuint flags);

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint move_mount(nint number, SafeFileHandle from, [MarshalAs(UnmanagedType.LPUTF8Str)] string fromPath, nint to,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string toPath, nuint flags);

    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int clock_gettime(int clock, [Out] long[] time);
}
