using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog doctor</c>: tries every prerequisite instead of asking whether a package is installed.</summary>
internal static partial class DoctorCommand
{
    private const string Ok = "ok", Warn = "warn", Fail = "fail";
    private const long LowDisk = 2L << 30, NoDisk = 256L << 20;
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(10);

    /// <summary>One finding. <paramref name="Next"/> says what to do when it is not ok.</summary>
    private sealed record Finding(string Check, string State, string Detail, string? Next = null);

    public static FogCommand Create(GlobalOptions globals)
    {
        var command = new FogCommand("doctor", "Check this machine and the control plane, and say what to do.", "fog doctor", "fog --json doctor");
        return command.Runs(globals, async invocation =>
        {
            var findings = new List<Finding>
            {
                new(".NET runtime", Environment.Version.Major >= 10 ? Ok : Fail, $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.RuntimeIdentifier}",
                    Environment.Version.Major >= 10 ? null : "Install the .NET 10 SDK."),
                Product(invocation.Host),
                await PostgresAsync(invocation),
                await SandboxAsync(invocation.Cancel),
                await WasmAsync(invocation.Cancel),
                Disk(invocation.Host),
                Machine(),
            };
            findings.AddRange(await ServerAsync(invocation));
            var failed = findings.Exists(f => f.State == Fail);
            invocation.Terminal.DocumentIfJson(new JsonObject
            {
                ["ok"] = !failed,
                ["checks"] = new JsonArray([.. findings.Select(f => (JsonNode)new JsonObject
                {
                    ["check"] = f.Check, ["state"] = f.State, ["detail"] = f.Detail, ["next"] = f.Next,
                })]),
            });
            foreach (var f in findings)
            {
                var colour = f.State switch { Ok => "green", Warn => "yellow", _ => "red" };
                invocation.Terminal.Markup($"[{colour}]{f.State,-4}[/] {Markup.Escape($"{f.Check,-16} {f.Detail}")}");
                if (f.Next is not null)
                    invocation.Terminal.Line($"{"",21} → {f.Next}");
            }
            return failed ? ExitCodes.Error : ExitCodes.Ok;
        });
    }

    /// <summary>Whether bubblewrap really makes a sandbox with its own namespaces; the reason when it does not.</summary>
    public static async Task<(bool Works, string Detail)> TrySandboxAsync(CancellationToken cancel)
    {
        if (ChildProcess.FindTool("bwrap") is not { } bwrap)
            return (false, "bubblewrap is not installed");
        var (code, output) = await RunAsync(bwrap, ["--ro-bind", "/", "/", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--die-with-parent", "true"], cancel);
        return code == 0 ? (true, bwrap) : (false, $"{bwrap} cannot make a sandbox: {FirstLine(output)}");
    }

    private static Finding Product(CliHost host)
    {
        try
        {
            var binaries = ProductBinaries.Find(host);
            return new Finding("FogCompute", Ok, $"{typeof(DoctorCommand).Assembly.GetName().Version?.ToString(3)}, {binaries.Api}");
        }
        catch (CliException error)
        {
            return new Finding("FogCompute", Warn, error.Message, error.Next);
        }
    }

    private static async Task<Finding> PostgresAsync(Invocation invocation)
    {
        if (invocation.Host.Variable("DATABASE_URL") is not null)
            return new Finding("PostgreSQL", Ok, "DATABASE_URL is set: the control plane uses that database");
        const string install = "Debian and Ubuntu: apt-get install postgresql (./fog does it as root). Others: PostgreSQL 15 or newer. Or set DATABASE_URL.";
        var candidates = new List<string>();
        if (ChildProcess.FindTool("postgres") is { } onPath)
            candidates.Add(onPath);
        if (Directory.Exists("/usr/lib/postgresql"))
            candidates.AddRange(Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin", "postgres")).Where(File.Exists));
        if (candidates.Count == 0)
            return new Finding("PostgreSQL", Fail, "no postgres binary on PATH or in /usr/lib/postgresql/*/bin", install);
        var best = (Version: 0, Text: "", Path: "");
        foreach (var path in candidates)
        {
            var (_, output) = await RunAsync(path, ["--version"], invocation.Cancel);
            if (MajorVersion().Match(output) is { Success: true } match && int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) is var major && major > best.Version)
                best = (major, FirstLine(output), path);
        }
        return best.Version >= 15
            ? new Finding("PostgreSQL", Ok, $"{best.Text} ({best.Path})")
            : new Finding("PostgreSQL", Fail, best.Version == 0 ? $"{candidates[0]} does not say its version" : $"{best.Text} is too old", install);
    }

    private static async Task<Finding> SandboxAsync(CancellationToken cancel)
    {
        var (works, detail) = await TrySandboxAsync(cancel);
        return works
            ? new Finding("Sandbox", Ok, $"{detail} makes sandboxes")
            : new Finding("Sandbox", Warn, detail + "; this machine will not offer 'sandbox', so it runs no commands of others",
                "apt-get install bubblewrap; where user namespaces are switched off: sysctl kernel.unprivileged_userns_clone=1");
    }

    private static async Task<Finding> WasmAsync(CancellationToken cancel)
    {
        if (ChildProcess.FindTool("wasmtime") is { } wasmtime)
            return new Finding("WASM engine", Ok, FirstLine((await RunAsync(wasmtime, ["--version"], cancel)).Output) + $" ({wasmtime})");
        if (ChildProcess.FindTool("node") is { } node)
        {
            var version = FirstLine((await RunAsync(node, ["--version"], cancel)).Output);
            if (int.TryParse(version.TrimStart('v').Split('.')[0], CultureInfo.InvariantCulture, out var major) && major >= 20)
                return new Finding("WASM engine", Ok, $"Node.js {version} ({node})");
        }
        return new Finding("WASM engine", Warn, "neither wasmtime nor Node.js 20+; this machine will not offer 'wasm'", "Install wasmtime if you want to run WASM jobs.");
    }

    private static Finding Disk(CliHost host)
    {
        var folder = host.FogHome;
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } parent)
            folder = parent;
        var free = new DriveInfo(folder).AvailableFreeSpace;
        var detail = $"{Humane.Bytes(free)} free for {host.FogHome}";
        return free switch
        {
            < NoDisk => new Finding("Disk", Fail, detail, "Free some space, or set FOG_HOME to a folder on a larger disk."),
            < LowDisk => new Finding("Disk", Warn, detail, "Artifacts may fill it; set FOG_HOME to a folder on a larger disk."),
            _ => new Finding("Disk", Ok, detail),
        };
    }

    private static Finding Machine() => new("Machine", Ok,
        $"{Humane.Plural(Environment.ProcessorCount, "core")}, {Humane.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} memory, {RuntimeInformation.OSDescription}");

    private static async Task<IReadOnlyList<Finding>> ServerAsync(Invocation invocation)
    {
        JsonNode health;
        DateTimeOffset? serverTime;
        try
        {
            (health, serverTime) = await invocation.Server.HealthAsync(invocation.Cancel);
        }
        catch (CliException error) when (error.ExitCode is ExitCodes.Unreachable or ExitCodes.Timeout)
        {
            return [new Finding("Control plane", Warn, error.Message, error.Next)];
        }
        catch (CliException error)
        {
            return [new Finding("Control plane", Fail, error.Message, error.Next)];
        }
        var findings = new List<Finding>();
        var status = health.Text("status");
        var down = health.Members("checks").Where(c => c.Value.Text("status") is not null and not "healthy").Select(c => $"{c.Key} {c.Value.Text("status")}").ToList();
        findings.Add(new Finding("Control plane", status switch { "healthy" => Ok, "degraded" => Warn, _ => Fail },
            $"{invocation.Server.Address} is {status}, version {health.Text("version")}{(status == "healthy" || down.Count == 0 ? "" : ": " + string.Join(", ", down))}",
            status == "healthy" ? null : "See its log; the parts above say what is down."));
        if (serverTime is { } theirs)
        {
            var skew = theirs - invocation.Host.Time.GetUtcNow();
            findings.Add(skew.Duration() <= ClockTolerance
                ? new Finding("Clock", Ok, $"within {ClockTolerance.TotalSeconds:0} s of the server's")
                : new Finding("Clock", Warn, $"differs from the server's by {Humane.Seconds(skew.Duration().TotalSeconds)}", "Set the clock (timedatectl set-ntp true)."));
        }
        try
        {
            var balance = await invocation.Server.GetAsync("api/tokenomics/balance", invocation.Cancel);
            findings.Add(new Finding("Access", Ok, $"account {balance.Text("address")}"));
        }
        catch (CliException error)
        {
            findings.Add(new Finding("Access", Warn, error.Message, error.Next));
        }
        return findings;
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, string[] args, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(ProbeLimit);
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            try
            {
                var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
                await process.WaitForExitAsync(limit.Token);
                return (process.ExitCode, await output + await error);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                process.Kill(entireProcessTree: true);
                return (-1, $"did not answer within {ProbeLimit.TotalSeconds:0} s");
            }
        }
        catch (Win32Exception error)
        {
            return (-1, error.Message);
        }
    }

    private static string FirstLine(string text) => text.Trim().Split('\n')[0].Trim();

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)", RegexOptions.NonBacktracking)]
    private static partial Regex MajorVersion();
}
