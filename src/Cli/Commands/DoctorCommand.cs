using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FogCompute.Cli.Diagnosis;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog doctor</c>: tries every prerequisite instead of asking whether a package is installed.</summary>
internal static partial class DoctorCommand
{
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(10);

    public static FogCommand Create(GlobalOptions globals)
    {
        var command = new FogCommand("doctor", "Check this machine and the control plane, and say what to do. Ends with 1 when there is a problem.", "fog doctor", "fog --json doctor");
        return command.Runs(globals, async invocation =>
        {
            var host = invocation.Host;
            var findings = new List<Finding>
            {
                Environment.Version.Major >= 10
                    ? Finding.Ok(".NET runtime", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.RuntimeIdentifier}")
                    : Finding.Fail(".NET runtime", RuntimeInformation.FrameworkDescription, "Install the .NET 10 SDK."),
                Product(host),
            };
            findings.AddRange(HomeCheck.Run(host));
            findings.AddRange(await DatabaseAsync(invocation));
            if (host.Variable("REDIS_URL") is { } redis)
                findings.Add(await RedisCheck.RunAsync(redis, invocation.Cancel));
            findings.Add(await SandboxAsync(invocation.Cancel));
            findings.Add(await WasmAsync(invocation.Cancel));
            findings.Add(Machine());
            findings.AddRange(await AgentCheck.RunAsync(host, invocation.Cancel));
            findings.AddRange(await ServerCheck.RunAsync(invocation, named: invocation.IsGiven(globals.Server) || host.Variable("FOG_SERVER") is not null));
            Print(invocation.Terminal, findings);
            return findings.Exists(f => f.State == Finding.Broken) ? ExitCodes.Error : ExitCodes.Ok;
        });
    }

    private static void Print(Terminal terminal, List<Finding> findings)
    {
        terminal.DocumentIfJson(new JsonObject
        {
            ["ok"] = !findings.Exists(f => f.State == Finding.Broken),
            ["checks"] = new JsonArray([.. findings.Select(f => (JsonNode)new JsonObject
            {
                ["check"] = f.Check, ["state"] = f.State, ["detail"] = f.Detail, ["next"] = f.Next,
            })]),
        });
        foreach (var f in findings)
        {
            var colour = f.State switch { Finding.Good => "green", Finding.Worse => "yellow", _ => "red" };
            terminal.Markup($"[{colour}]{f.State,-4}[/] {Markup.Escape($"{f.Check,-17} {f.Detail}")}");
            if (f.Next is not null)
                terminal.Line($"{"",22} → {f.Next}");
        }
        var (problems, remarks) = (findings.Count(f => f.State == Finding.Broken), findings.Count(f => f.State == Finding.Worse));
        terminal.Line();
        terminal.Line(problems > 0 ? $"{Humane.Plural(problems, "problem")}: what stands after → removes each." : remarks > 0 ? $"No problem, {Humane.Plural(remarks, "remark")}." : "All well.");
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
            return Finding.Ok("FogCompute", $"{typeof(DoctorCommand).Assembly.GetName().Version?.ToString(3)}, {binaries.Api}");
        }
        catch (CliException error)
        {
            return Finding.Warn("FogCompute", error.Message, error.Next);
        }
    }

    private static async Task<IReadOnlyList<Finding>> DatabaseAsync(Invocation invocation)
    {
        if (invocation.Host.Variable("DATABASE_URL") is { } url)
            return await DatabaseCheck.RunAsync(url, invocation.Host.Time, invocation.Cancel);
        var programs = await PostgresAsync(invocation);
        return EmbeddedDatabaseCheck.Run(invocation.Host.FogHome) is { } embedded ? [programs, embedded] : [programs];
    }

    private static async Task<Finding> PostgresAsync(Invocation invocation)
    {
        const string install = "Debian and Ubuntu: apt-get install postgresql (./fog does it as root). Others: PostgreSQL 15 or newer. Or set DATABASE_URL.";
        var candidates = new List<string>();
        if (ChildProcess.FindTool("postgres") is { } onPath)
            candidates.Add(onPath);
        if (Directory.Exists("/usr/lib/postgresql"))
            candidates.AddRange(Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin", "postgres")).Where(File.Exists));
        if (candidates.Count == 0)
            return Finding.Fail("PostgreSQL", "no postgres binary on PATH or in /usr/lib/postgresql/*/bin", install);
        var best = (Version: 0, Text: "", Path: "");
        foreach (var path in candidates)
        {
            var (_, output) = await RunAsync(path, ["--version"], invocation.Cancel);
            if (MajorVersion().Match(output) is { Success: true } match && int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) is var major && major > best.Version)
                best = (major, FirstLine(output), path);
        }
        return best.Version >= 15
            ? Finding.Ok("PostgreSQL", $"{best.Text} ({best.Path})")
            : Finding.Fail("PostgreSQL", best.Version == 0 ? $"{candidates[0]} does not say its version" : $"{best.Text} is too old", install);
    }

    private static async Task<Finding> SandboxAsync(CancellationToken cancel)
    {
        var (works, detail) = await TrySandboxAsync(cancel);
        return works
            ? Finding.Ok("Sandbox", $"{detail} makes sandboxes")
            : Finding.Warn("Sandbox", detail + "; this machine will not offer 'sandbox', so it runs no commands of others",
                "apt-get install bubblewrap; where user namespaces are switched off: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu sysctl kernel.apparmor_restrict_unprivileged_userns=0");
    }

    private static async Task<Finding> WasmAsync(CancellationToken cancel)
    {
        if (ChildProcess.FindTool("wasmtime") is { } wasmtime)
            return Finding.Ok("WASM engine", FirstLine((await RunAsync(wasmtime, ["--version"], cancel)).Output) + $" ({wasmtime})");
        if (ChildProcess.FindTool("node") is { } node)
        {
            var version = FirstLine((await RunAsync(node, ["--version"], cancel)).Output);
            if (int.TryParse(version.TrimStart('v').Split('.')[0], CultureInfo.InvariantCulture, out var major) && major >= 20)
                return Finding.Ok("WASM engine", $"Node.js {version} ({node})");
        }
        return Finding.Warn("WASM engine", "neither wasmtime nor Node.js 20+; this machine will not offer 'wasm'", "Install wasmtime if you want to run WASM jobs.");
    }

    private static Finding Machine() => Finding.Ok("Machine",
        $"{Humane.Plural(Environment.ProcessorCount, "core")}, {Humane.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} memory, {RuntimeInformation.OSDescription}");

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
