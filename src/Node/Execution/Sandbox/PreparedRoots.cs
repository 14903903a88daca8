using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// Puts into the root of a launcher what every command gets anew: empty <c>/tmp</c> and <c>/dev/shm</c>, and its work folder. One lasting thread enters the launcher's
/// mount namespace for the few system calls that takes; a program for each would cost more than the rest of the sandbox. Needs root.
/// </summary>
internal sealed class PreparedRoots : IDisposable
{
    private readonly BlockingCollection<(SafeFileHandle Root, Action Work, TaskCompletionSource Done)> _orders = [];

    public PreparedRoots() => new Thread(Serve) { IsBackground = true, Name = "fog-mounts" }.Start();

    /// <summary>The mount namespace of a process.</summary>
    public static SafeFileHandle Of(int process) => File.OpenHandle(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/ns/mnt"));

    /// <param name="root">From <see cref="Of"/>.</param>
    /// <param name="memoryFiles">Most bytes in each of the two file systems in memory.</param>
    /// <remarks>Throws <see cref="IOException"/>; what was mounted by then stays, and the launcher must go.</remarks>
    public async Task FurnishAsync(SafeFileHandle root, string workFolder, long memoryFiles)
    {
        // Its path means nothing in the launcher's root, so it is taken out here.
        using var work = Native.CloneMount(workFolder);
        await InAsync(root, () =>
        {
            var options = string.Create(CultureInfo.InvariantCulture, $"mode=1777,size={memoryFiles}");
            foreach (var place in (ReadOnlySpan<string>)["/tmp", "/dev/shm"])
                Native.Mount("tmpfs", place, "tmpfs", MountFlags.NoSetUser | MountFlags.NoDevices, options);
            Native.AttachMount(work, "/work");
            Native.Mount("none", "/work", null, MountFlags.Private, null);
            Native.Mount("none", "/work", null, MountFlags.Remount | MountFlags.Bind | MountFlags.NoSetUser | MountFlags.NoDevices, null);
        });
    }

    /// <summary>Takes it all out again; with it the files in memory end.</summary>
    public Task ClearAsync(SafeFileHandle root) => InAsync(root, () =>
    {
        foreach (var place in (ReadOnlySpan<string>)["/work", "/dev/shm", "/tmp"])
            Native.Unmount(place);
    });

    public void Dispose() => _orders.CompleteAdding();

    private Task InAsync(SafeFileHandle root, Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _orders.Add((root, work, done));
        return done.Task;
    }

    private void Serve()
    {
        SafeFileHandle? home = null;
        foreach (var (root, work, done) in _orders.GetConsumingEnumerable())
        {
            try
            {
                if (home is null)
                {
                    Native.LeaveSharedFolder();
                    home = File.OpenHandle("/proc/thread-self/ns/mnt");
                }
                Native.EnterMounts(root);
                try
                {
                    work();
                }
                finally
                {
                    // Whoever stays keeps the namespace alive, and everything mounted in it.
                    Native.EnterMounts(home);
                }
                done.SetResult();
            }
            catch (Exception fault)
            {
                done.SetException(fault);
            }
        }
        home?.Dispose();
    }
}
