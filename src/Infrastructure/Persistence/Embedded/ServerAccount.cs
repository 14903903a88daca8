using System.Diagnostics;

namespace FogCompute.Infrastructure.Persistence.Embedded;

/// <summary>
/// The operating-system account the server runs as. PostgreSQL refuses to run as root, so a root control plane starts it as <c>postgres</c>
/// (else <c>nobody</c>); everybody else runs it as themselves.
/// </summary>
internal sealed record ServerAccount(string? Name, string? Uid, string? Gid)
{
    /// <summary>The account of this process.</summary>
    public static readonly ServerAccount Self = new(null, null, null);

    public bool IsOther => Name is not null;

    public static ServerAccount ForThisProcess()
    {
        if (OperatingSystem.IsWindows())
            throw UnixFolders.NotHere();
        if (!Environment.IsPrivilegedProcess)
            return Self;
        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(f => f.Length >= 4).ToList();
        foreach (var name in new[] { "postgres", "nobody" })
        {
            if (accounts.FirstOrDefault(f => f[0] == name) is { } fields && fields[2] != "0")
                return new ServerAccount(name, fields[2], fields[3]);
        }
        throw new InvalidOperationException(
            "The control plane runs as root, PostgreSQL refuses to, and there is neither a user 'postgres' nor 'nobody' to run it as. "
            + "Start the control plane as an ordinary user, create one (useradd --system postgres), or set DATABASE_URL.");
    }

    /// <summary>Runs a program as this account, with a clean PostgreSQL environment; returns exit code and everything it printed.</summary>
    public async Task<(int ExitCode, string Output)> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancel)
    {
        var start = new ProcessStartInfo
        {
            // The current folder may be closed to the other account.
            WorkingDirectory = "/",
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] words = IsOther ? [.. SwitchUser(), program, .. arguments] : [program, .. arguments];
        start.FileName = words[0];
        foreach (var word in words.Skip(1))
            start.ArgumentList.Add(word);
        // PGDATA, PGPORT, PGOPTIONS … of the caller's shell are about other servers.
        foreach (var key in start.Environment.Keys.Where(k => k.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(key);
        start.Environment["LC_ALL"] = "C";

        using var process = Process.Start(start) ?? throw new InvalidOperationException($"'{words[0]}' could not be started.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, (await output + await errors).Trim());
    }

    private IEnumerable<string> SwitchUser()
    {
        if (Tool("setpriv") is { } setpriv)
            return [setpriv, $"--reuid={Uid}", $"--regid={Gid}", "--clear-groups"];
        if (Tool("runuser") is { } runuser)
            return [runuser, "-u", Name!, "--"];
        throw new InvalidOperationException(
            "The control plane runs as root and PostgreSQL must not, but neither 'setpriv' nor 'runuser' is installed to start it as another user. "
            + "Install util-linux, start the control plane as an ordinary user, or set DATABASE_URL.");
    }

    private static string? Tool(string name) =>
        new[] { "/usr/bin", "/bin", "/usr/sbin", "/sbin" }.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Makes a folder that only this account (and root) can enter.</summary>
    public async Task CreatePrivateFolderAsync(string folder, CancellationToken cancel)
    {
        UnixFolders.CreatePrivate(folder);
        if (IsOther)
            await Self.MustRunAsync("chown", ["-h", $"{Uid}:{Gid}", folder], cancel);
    }

    /// <summary>Runs a program that has to succeed.</summary>
    public async Task MustRunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancel)
    {
        var (exitCode, output) = await RunAsync(program, arguments, cancel);
        if (exitCode != 0)
            throw new InvalidOperationException($"'{Path.GetFileName(program)} {string.Join(' ', arguments)}' failed with exit code {exitCode}: {output}");
    }

    /// <summary>Whether the account can enter the folder, going by the permission bits for others on the way to it.</summary>
    public bool CanReach(string folder)
    {
        if (!IsOther)
            return true;
        for (var step = new DirectoryInfo(folder); step is not null; step = step.Parent)
        {
            if (step.Exists && !UnixFolders.OthersMayPass(step.FullName))
                return false;
        }
        return true;
    }
}
