using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Infrastructure.Persistence.Embedded;

/// <summary>
/// Where the embedded cluster lies.
/// <code>
/// FOG_HOME/postgres/            locks and the file 'location' (always)
/// BASE/postgresql.conf          written anew at every start, like pg_hba.conf
/// BASE/data  BASE/log           owned by the server's account, 0700
/// SOCKETS/.s.PGSQL.5432         owned by the server's account, 0700
/// </code>
/// BASE is FOG_HOME/postgres where the server's account can enter it, else (root's home is closed to everybody) a folder of its own under
/// /var/lib/fogcompute; SOCKETS is BASE/s, or a folder under /tmp when that path would be longer than the operating system takes.
/// </summary>
internal sealed record ClusterLayout(string LockFolder, string Base, string Sockets)
{
    /// <summary>sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.</summary>
    private const int LongestSocketPath = 103;

    public string Data => Path.Combine(Base, "data");
    public string UnfinishedData => Path.Combine(Base, "data.unfinished");
    public string Logs => Path.Combine(Base, "log");
    public string LogFile => Path.Combine(Logs, "postgresql.log");
    public string Settings => Path.Combine(Base, "postgresql.conf");
    public string HostAccess => Path.Combine(Base, "pg_hba.conf");
    public string PidFile => Path.Combine(Data, "postmaster.pid");
    public string Socket => Path.Combine(Sockets, ".s.PGSQL.5432");
    public string StartLock => Path.Combine(LockFolder, "start.lock");
    public string UsersLock => Path.Combine(LockFolder, "users.lock");

    public static ClusterLayout Of(string home, ServerAccount account)
    {
        var locks = Path.Combine(Path.GetFullPath(home), "postgres");
        Directory.CreateDirectory(locks);
        locks = WithoutLinks(locks);
        // The choice is kept: a home that becomes reachable later must not make its data disappear.
        var record = Path.Combine(locks, "location");
        string place;
        if (File.Exists(record) && File.ReadAllText(record).Trim() is { Length: > 0 } kept)
        {
            place = kept;
        }
        else
        {
            place = account.CanReach(locks) ? locks : Path.Combine("/var/lib/fogcompute", Hash(locks, 16));
            File.WriteAllText(record, place + "\n");
        }
        var sockets = Path.Combine(place, "s");
        if (Encoding.UTF8.GetByteCount(sockets + "/.s.PGSQL.5432") > LongestSocketPath)
            sockets = Path.Combine("/tmp", $"fog-{Environment.UserName}-{Hash(place, 12)}");
        return new ClusterLayout(locks, place, sockets);
    }

    /// <summary>The real path, as the kernel shows it: two names of one folder must mean one cluster.</summary>
    private static string WithoutLinks(string path)
    {
        var real = "/";
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var step = new DirectoryInfo(Path.Combine(real, part));
            var target = step.ResolveLinkTarget(returnFinalTarget: true);
            real = target is null ? step.FullName : WithoutLinks(target.FullName);
        }
        return real;
    }

    private static string Hash(string text, int length) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..length];
}
