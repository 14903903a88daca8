using FogCompute.Cli.Output;

namespace FogCompute.Cli.Diagnosis;

/// <summary>FOG_HOME: may it be written, by nobody else, and is there room.</summary>
internal static class HomeCheck
{
    private const long LowDisk = 2L << 30, NoDisk = 256L << 20;

    /// <summary>Somebody may write between two looks at one disk.</summary>
    private const long SameDisk = 16L << 20;
    private const int NoSpaceLeft = 28, ReadOnly = 30; // ENOSPC, EROFS

    public static IEnumerable<Finding> Run(CliHost host)
    {
        yield return Permissions(host);
        var home = Disk(host, "Disk", host.FogHome);
        yield return home;
        // Folders or mounts of their own.
        foreach (var (check, folder) in new[] { ("Artifact disk", Path.Combine(host.FogHome, "artifacts")), ("Database disk", EmbeddedDatabaseCheck.Place(host.FogHome)) })
        {
            if (Directory.Exists(folder) && Math.Abs(host.FreeBytes(folder) - host.FreeBytes(host.FogHome)) > SameDisk)
                yield return Disk(host, check, folder);
        }
    }

    private static Finding Permissions(CliHost host)
    {
        const string check = "FOG_HOME";
        var home = host.FogHome;
        var folder = Existing(home);
        var probe = Path.Combine(folder, ".fog-doctor-" + Guid.NewGuid().ToString("N"));
        try
        {
            // Asking for permissions tells less than trying: quotas, read-only mounts and full disks show here too.
            using (var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose))
            {
                file.Write(new byte[64 * 1024]);
                file.Flush(flushToDisk: true);
            }
        }
        catch (UnauthorizedAccessException)
        {
            return Finding.Fail(check, $"{folder} cannot be written by {Environment.UserName}", $"chown -R {Environment.UserName} {folder}, or set FOG_HOME to a folder of yours.");
        }
        catch (IOException broken) when ((broken.HResult & 0xFFFF) == NoSpaceLeft || broken.HResult == NoSpaceLeft)
        {
            return Finding.Fail(check, $"nothing can be written to {folder}: its disk is full", "Free some space, or set FOG_HOME to a folder on a larger disk.");
        }
        catch (IOException broken) when (broken.HResult == ReadOnly)
        {
            return Finding.Fail(check, $"{folder} is on a disk that is mounted read-only", "Remount it (mount -o remount,rw …), or set FOG_HOME to another folder.");
        }
        catch (IOException broken)
        {
            return Finding.Fail(check, $"nothing can be written to {folder}: {broken.Message}", "Set FOG_HOME to another folder.");
        }
        if (folder != home)
            return Finding.Ok(check, $"{home} does not exist yet and can be made");
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
            if ((File.GetUnixFileMode(home) & others) != UnixFileMode.None)
                return Finding.Fail(check, $"{home} can be written by others", $"chmod go-w {home}");
            var key = host.Variable("FOG_LEDGER_KEY") ?? Path.Combine(home, "ledger-key.pem");
            if (File.Exists(key) && (File.GetUnixFileMode(key) & (others | UnixFileMode.GroupRead | UnixFileMode.OtherRead)) != UnixFileMode.None)
                return Finding.Fail(check, $"{key}, which signs the ledger, can be read by others", $"chmod 600 {key}");
        }
        return Finding.Ok(check, $"{home} can be written");
    }

    private static Finding Disk(CliHost host, string check, string path)
    {
        var free = host.FreeBytes(Existing(path));
        var detail = $"{Humane.Bytes(free)} free for {path}";
        return free switch
        {
            < NoDisk => Finding.Fail(check, $"{detail}; below {Humane.Bytes(NoDisk)} uploads are refused and the database may stop", "Free some space, or set FOG_HOME to a folder on a larger disk."),
            < LowDisk => Finding.Warn(check, detail, "Artifacts may fill it; set FOG_HOME to a folder on a larger disk."),
            _ => Finding.Ok(check, detail),
        };
    }

    private static string Existing(string path)
    {
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { } parent)
            path = parent;
        return path;
    }
}
