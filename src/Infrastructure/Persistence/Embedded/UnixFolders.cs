namespace FogCompute.Infrastructure.Persistence.Embedded;

/// <summary>Permissions of folders. The embedded database exists on Unix only: it rests on sockets, flock and accounts.</summary>
internal static class UnixFolders
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>0700; an existing folder keeps its mode.</summary>
    public static void CreatePrivate(string folder)
    {
        if (OperatingSystem.IsWindows())
            throw NotHere();
        Directory.CreateDirectory(folder, OwnerOnly);
    }

    /// <summary>0711: others may pass through to what they own, not look around.</summary>
    public static void LetOthersPass(string folder)
    {
        if (OperatingSystem.IsWindows())
            throw NotHere();
        File.SetUnixFileMode(folder, OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    public static bool OthersMayPass(string folder)
    {
        if (OperatingSystem.IsWindows())
            throw NotHere();
        return File.GetUnixFileMode(folder).HasFlag(UnixFileMode.OtherExecute);
    }

    internal static PlatformNotSupportedException NotHere() =>
        new("The embedded database runs on Linux and macOS. On Windows install PostgreSQL and set DATABASE_URL, or use WSL.");
}
