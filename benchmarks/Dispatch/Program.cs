using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Cli.Server;
using FogCompute.Dispatch;

// How fast is dispatch, end to end, on this machine? Real control plane with its embedded PostgreSQL (durable commits), four real agents of 32
// slots, against floors measured in the same run: the database's own dequeue rate (pgbench, FOR UPDATE SKIP LOCKED) and the bare sandbox; and
// beside it Slurm, where it is installed.
// Usage: ./dev bench dispatch [--quick]

const int Agents = 4, SlotsEach = 32;
var quick = args.Contains("--quick");
var (noopTasks, singles, commands) = quick ? (4_000, 60, 200) : (20_000, 300, 1_600);
using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(8));
var host = CliHost.System();
var binaries = new ProductBinaries(ProductBinaries.FindDotnet(), Built("Api", "FogCompute.Api.dll"), Built("Node", "fog-node.dll"));
var home = Directory.CreateTempSubdirectory("fog-bench-").FullName;
// As root the database runs under an account of its own, which must be able to enter.
if (!OperatingSystem.IsWindows())
    File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
try
{
    // Before anything of ours runs: Slurm has the machine to itself.
    var absent = Slurm.Absent();
    var slurm = absent is null ? await Slurm.MeasureAsync(quick ? 200 : 1_000, TimeSpan.FromSeconds(150), stop.Token) : null;
    Console.Error.WriteLine(slurm is null ? $"Slurm is not measured: {absent}" : $"{slurm.Version}: {slurm.ArrayPerSecond:0.0} jobs/s as an array, {slurm.SeparatePerSecond?.ToString("0.0", CultureInfo.InvariantCulture) ?? "–"} one by one on {Slurm.Slots} slots");

    await using var pool = new LocalPool(host, binaries, home, LocalPool.FreePort(), logToFiles: true, new Dictionary<string, string?>());
    using var server = new FogServer(pool.Address, null);
    await pool.StartControlPlaneAsync(server, stop.Token);

    var dequeue = await Floors.DequeuePerSecondAsync(home, clients: Agents, seconds: quick ? 3 : 6, stop.Token);

    for (var i = 0; i < Agents; i++)
        pool.StartAgent(new AgentStart($"bench-{i}", Path.Combine(home, $"agent-{i}"), null, Cpu: 64, Slots: SlotsEach));
    while ((await server.GetAsync("api/scheduler/nodes", stop.Token))["nodes"]!.AsArray().Count(n => (string?)n!["status"] == "active") < Agents)
        await Task.Delay(200, stop.Token);
    await Task.Delay(1_000, stop.Token);

    await RunArrayAsync("warm-up", Noop, noopTasks / 4);
    var noop = await RunArrayAsync("noop", Noop, noopTasks);
    var starts = await SinglesAsync(singles);
    // The compiler is at work in five processes for the first thousand or two.
    await RunArrayAsync("warm-up", Command, commands * 3 / 2);
    // The floors directly before and after, so that all three see the same machine.
    var (least, same) = (new List<double>(), new List<double>());
    await FloorsAsync();
    var command = await RunArrayAsync("command", Command, commands);
    await FloorsAsync();
    // Last: the database tidies up after it for a while.
    var submit = await LargeArrayAsync(100_000);
    var (leastBare, sameBare) = (least.Average(), same.Average());
    var audit = await server.GetAsync("api/tokenomics/audit", stop.Token);

    var (p50, p99) = (Percentile(starts, 0.50), Percentile(starts, 0.99));
    var pass = noop >= 1_000 && command >= 0.6 * sameBare && p99 < 150 && submit < 5 && (bool)audit["balanced"]!
        && (slurm is null || (command >= 6 * slurm.Best && noop >= 40 * slurm.Best));
    var slurmCell = slurm is null ? $"Slurm not measured: {absent}"
        : $"{slurm.Best:0.0} jobs/s of {slurm.Version} (one node, {Slurm.Slots} slots, {slurm.Jobs} × `/bin/true`; one array {slurm.ArrayPerSecond:0.0}, one by one {slurm.SeparatePerSecond?.ToString("0.0", CultureInfo.InvariantCulture) ?? "–"})";
    Console.WriteLine($"""

        | figure | measured | floor in the same run | ratio | aim |
        |---|---:|---:|---:|---|
        | `noop` tasks/s, end to end ({Agents} agents × {SlotsEach} slots, {noopTasks} tasks) | {noop:0} | {dequeue:0} dequeues/s (pgbench, SKIP LOCKED, {Agents} clients) | {noop / dequeue:0.00} | ≥ 1000 |
        | sandboxed `command` tasks/s (`true`, {commands} tasks) | {command:0} | {sameBare:0} `bwrap … true`/s with the agent's own sandbox options (4 shell loops) | {command / sameBare:0.00} | ≥ 0.60 × floor |
        | the same | {command:0} | {leastBare:0} `bwrap --ro-bind / / --unshare-all true`/s (4 shell loops) | {command / leastBare:0.00} | |
        | the same | {command:0} | {slurmCell} | {Ratio(command)} | ≥ 6 × Slurm |
        | `noop` tasks/s | {noop:0} | the same | {Ratio(noop)} | ≥ 40 × Slurm |
        | submit → start, single `noop` jobs, p50 ms | {p50:0.0} | | | |
        | submit → start, single `noop` jobs, p99 ms ({singles} jobs) | {p99:0.0} | | | < 150 |
        | submit of one array of 100 000 tasks, seconds to the answer | {submit:0.00} | | | < 5 |
        | ledger balances after the run | {(bool)audit["balanced"]!} | | | true |

        """);
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        benchmark = "dispatch", quick, processors = Environment.ProcessorCount,
        figures = new { noop_tasks_per_s = Math.Round(noop, 1), command_tasks_per_s = Math.Round(command, 1), submit_to_start_p50_ms = Math.Round(p50, 2), submit_to_start_p99_ms = Math.Round(p99, 2), submit_100000_tasks_s = Math.Round(submit, 2), dequeues_per_s = Math.Round(dequeue, 1), same_bwrap_per_s = Math.Round(sameBare, 1), least_bwrap_per_s = Math.Round(leastBare, 1) },
        ratios = new { noop_to_dequeue = Math.Round(noop / dequeue, 3), command_to_same_bwrap = Math.Round(command / sameBare, 3), command_to_least_bwrap = Math.Round(command / leastBare, 3) },
        // Null where Slurm could not be measured; slurm_absent says why, and "pass" is of the other aims alone.
        slurm = slurm is null ? null : new { version = slurm.Version, parameters = slurm.Parameters, jobs = slurm.Jobs, array_jobs_per_s = Math.Round(slurm.ArrayPerSecond, 1), separate_jobs_per_s = slurm.SeparatePerSecond is { } rate ? Math.Round(rate, 1) : (double?)null, slots = Slurm.Slots, command_to_slurm = Math.Round(command / slurm.Best, 2), noop_to_slurm = Math.Round(noop / slurm.Best, 1) },
        slurm_absent = absent,
        balanced = (bool)audit["balanced"]!, pass,
    }));
    return pass ? 0 : 1;

    string Ratio(double figure) => slurm is null ? "–" : (figure / slurm.Best).ToString("0.0", CultureInfo.InvariantCulture);

    async Task<double> RunArrayAsync(string name, JsonObject payload, int count)
    {
        var clock = Stopwatch.StartNew();
        var job = await SubmitAsync(name, payload, count);
        while (true)
        {
            var detail = await server.GetAsync($"api/scheduler/jobs?limit=1", stop.Token);
            var item = detail["jobs"]!.AsArray().First(j => (string?)j!["id"] == job)!;
            if ((string?)item["status"] == "completed")
                break;
            if ((string?)item["status"] is "failed" or "cancelled")
                throw new InvalidOperationException($"The job {job} ({name}) ended {item["status"]}.");
            // Seldom: who watches takes part.
            await Task.Delay(200, stop.Token);
        }
        Console.Error.WriteLine($"{name}: {count} tasks in {clock.Elapsed.TotalSeconds:0.00} s");
        return count / clock.Elapsed.TotalSeconds;
    }

    async Task<double> LargeArrayAsync(int count)
    {
        var clock = Stopwatch.StartNew();
        var job = await SubmitAsync("large", Noop, count);
        var took = clock.Elapsed.TotalSeconds;
        await server.SendAsync(HttpMethod.Delete, $"api/scheduler/jobs/{job}", null, null, stop.Token);
        return took;
    }

    async Task FloorsAsync()
    {
        same.Add(await Floors.BareSandboxPerSecondAsync(Floors.SameSandbox, 4, commands / 2, stop.Token));
        least.Add(await Floors.BareSandboxPerSecondAsync(Floors.LeastSandbox, 4, commands / 2, stop.Token));
    }

    async Task<string> SubmitAsync(string name, JsonObject payload, int count) =>
        (string)(await server.PostAsync("api/scheduler/jobs", new JsonObject
        {
            ["name"] = name, ["cpu_required"] = 0.1, ["memory_required"] = 16, ["duration_estimate"] = 0.05, ["payload"] = payload.DeepClone(), ["array"] = new JsonObject { ["count"] = count },
            // The figures are of dispatch; an audit of every 50th task would measure something else as well.
            ["deterministic"] = false,
        }, stop.Token))["jobId"]!;

    // From the server's receipt of the submit to the agent's clock at the start: one machine, one clock.
    async Task<List<double>> SinglesAsync(int count)
    {
        var milliseconds = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var job = await SubmitAsync("single", Noop, 1);
            JsonNode detail;
            do
            {
                await Task.Delay(15, stop.Token);
                detail = await server.GetAsync($"api/scheduler/jobs/{job}", stop.Token);
            }
            while ((string?)detail["status"] != "completed");
            milliseconds.Add((Time(detail["attempts"]![0]!["startedAt"]!) - Time(detail["submitted"]!)).TotalMilliseconds);
        }
        return milliseconds;
    }
}
finally
{
    Directory.Delete(home, recursive: true);
}

static DateTimeOffset Time(JsonNode node) => DateTimeOffset.Parse((string)node!, CultureInfo.InvariantCulture);

static double Percentile(List<double> values, double share)
{
    values.Sort();
    return values[Math.Max(0, (int)Math.Ceiling(share * values.Count) - 1)];
}

// …/benchmarks/Dispatch/bin/Release/net10.0/ → …/src/X/bin/Release/net10.0/
static string Built(string project, string dll)
{
    var here = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar);
    var configuration = Path.GetFileName(Path.GetDirectoryName(here))!;
    return Path.GetFullPath(Path.Combine(here, "..", "..", "..", "..", "..", "src", project, "bin", configuration, Path.GetFileName(here), dll));
}

internal partial class Program
{
    private static readonly JsonObject Noop = new() { ["kind"] = "builtin", ["kernel"] = "noop" };
    private static readonly JsonObject Command = new() { ["kind"] = "command", ["argv"] = new JsonArray("true") };
}
