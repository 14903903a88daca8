using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.ApiSpeed;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Cli.Server;

// How many requests a second does the API answer at 64 keep-alive connections, and how fast, against a bare Kestrel that answers a fixed body of the same size
// in the same run? Real control plane with its embedded PostgreSQL (durable commits); generator and floor are processes of their own.
// Usage: ./dev bench api [--quick] [--only NAME,NAME]

const int Connections = 64, Devices = 1_000, FewJobs = 20, ManyJobs = 1_000;
const double MostP99 = 100;
if (args is ["floor", var floorPort])
{
    await Floor.RunAsync(int.Parse(floorPort, CultureInfo.InvariantCulture));
    return 0;
}
if (args is ["load"])
{
    await Load.RunProcessAsync();
    return 0;
}

var quick = args.Contains("--quick");
var only = Array.IndexOf(args, "--only") is >= 0 and var at ? args[at + 1].Split(',') : null;
var (warmUp, seconds) = quick ? (1.0, 2.0) : (2.0, 5.0);
using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(6));
var host = CliHost.System();
var binaries = new ProductBinaries(ProductBinaries.FindDotnet(), Built("Api", "FogCompute.Api.dll"), "");
var home = Directory.CreateTempSubdirectory("fog-bench-").FullName;
// As root the database runs under an account of its own, which must be able to enter.
if (!OperatingSystem.IsWindows())
    File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
try
{
    await using var pool = new LocalPool(host, binaries, home, LocalPool.FreePort(), logToFiles: true, new Dictionary<string, string?>());
    using var server = new FogServer(pool.Address, null);
    await pool.StartControlPlaneAsync(server, stop.Token);
    var postgres = int.Parse((await File.ReadAllLinesAsync(Directory.GetFiles(home, "postmaster.pid", SearchOption.AllDirectories).Single(), stop.Token))[0], CultureInfo.InvariantCulture);
    var control = pool.ControlPlane!.ProcessId;
    var floorAt = LocalPool.FreePort();
    using var floor = Start(["floor", $"{floorAt}"]);
    using var http = new HttpClient();

    const string job = """{"name":"bench-{n}","cpu_required":0.1,"memory_required":16,"duration_estimate":0.05,"payload":{"kind":"builtin","kernel":"noop"}}""";
    const string device = """{"device_id":"bench-{n}","device_type":"desktop","cpu_cores":4,"memory_mb":8192,"battery_percent":{b},"is_charging":true}""";
    var rows = new List<Row>();
    for (var i = 0; i < Devices; i++)
        await SendAsync(HttpMethod.Post, "api/idle-compute/devices", device, i);
    for (var i = 0; i < FewJobs; i++)
        await SendAsync(HttpMethod.Post, "api/scheduler/jobs", job, i);

    await MeasureAsync("health", "GET /health", "GET", "/health", null, 200, 6_400);
    await MeasureAsync("dashboard", "GET /api/dashboard/stats", "GET", "/api/dashboard/stats", null, 200, 70);
    await MeasureAsync("list", $"GET /api/scheduler/jobs, {FewJobs} jobs", "GET", "/api/scheduler/jobs", null, 200, 8_000);
    for (var i = FewJobs; i < ManyJobs; i++)
        await SendAsync(HttpMethod.Post, "api/scheduler/jobs", job, i);
    await MeasureAsync("list_many", $"GET /api/scheduler/jobs, {ManyJobs} jobs, page of 100", "GET", "/api/scheduler/jobs", null, 200, null);
    var beat = await MeasureAsync("heartbeat", $"POST …/devices/ID/heartbeat, {Devices} devices", "POST", "/api/idle-compute/devices/bench-{n}/heartbeat?battery={b}&is_charging=true", null, 200, 10_000, modulo: Devices);
    // Every device has sent several: what the last ones said is there for everybody to see.
    var stored = beat is null || await AllHeardFromAsync(beat.Value.Started);
    var before = await TotalAsync();
    var submitted = await MeasureAsync("submit", "POST /api/scheduler/jobs, a new one each", "POST", "/api/scheduler/jobs", job, 201, 2_000, first: 10_000);
    // Each answer of 201 is a job, the first look at the size of the answer included, and none without.
    var counted = submitted is null || await TotalAsync() - before == submitted.Value.Sent + 1;
    await MeasureAsync("register", "POST /api/idle-compute/devices, a new one each", "POST", "/api/idle-compute/devices", device, 201, null, first: 10_000);
    var balanced = (bool)(await server.GetAsync("api/tokenomics/audit", stop.Token))["balanced"]!;
    await floor.StandardInput.WriteLineAsync();
    await floor.WaitForExitAsync(stop.Token);

    var pass = stored && counted && balanced && rows.TrueForAll(r => r.Passes);
    Console.WriteLine($"""

        {Connections} keep-alive connections, {seconds} s each after {warmUp} s of warm-up, {Environment.ProcessorCount} processors shared by generator, server and database; floor: bare Kestrel, same
        requests, bodies of the same size; p99 ≤ {MostP99} ms asked of all

        | endpoint | requests/s | aim | floor, requests/s | ÷ floor | p50 ms | p99 ms | floor p99 ms | server µs/request | PostgreSQL µs/request | floor µs/request | body bytes | refused |
        |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
        """);
    foreach (var r in rows)
    {
        Console.WriteLine(r.Load is not { } load || r.Floor is not { } bare ? $"| {r.Title} | not there ({r.Status}) | {r.Aim} | | | | | | | | | | |" : string.Create(CultureInfo.InvariantCulture,
            $"| {r.Title} | {load.PerSecond:0} | {(r.Aim is { } aim ? $"≥ {aim}" : "")} | {bare.PerSecond:0} | {load.PerSecond / bare.PerSecond:0.00} | {load.P50Ms:0.0} | {load.P99Ms:0.0} | {bare.P99Ms:0.0} | {r.ServerMicros:0} | {r.PostgresMicros:0} | {r.FloorMicros:0} | {r.Bytes} | {load.Refused} |"));
    }
    foreach (var r in rows.Where(r => r.Load?.FirstRefusal is not null))
        Console.WriteLine($"\n{r.Title}, first refusal: {r.Load!.FirstRefusal}");
    Console.WriteLine($"\nheartbeats stored: {stored}; as many jobs as 201s: {counted}; ledger balances: {balanced}\n");
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        benchmark = "api", quick, processors = Environment.ProcessorCount, connections = Connections, seconds,
        figures = rows.ToDictionary(r => r.Name, r => r.Load is not { } load ? null : new
        {
            per_s = Math.Round(load.PerSecond, 1), p50_ms = Math.Round(load.P50Ms, 2), p99_ms = Math.Round(load.P99Ms, 2), floor_per_s = Math.Round(r.Floor!.PerSecond, 1), floor_p99_ms = Math.Round(r.Floor.P99Ms, 2),
            server_us = Math.Round(r.ServerMicros, 1), postgres_us = Math.Round(r.PostgresMicros, 1), floor_us = Math.Round(r.FloorMicros, 1), refused = load.Refused, aim_per_s = r.Aim, pass = r.Passes,
        }),
        ratios = rows.Where(r => r.Load is not null).ToDictionary(r => r.Name, r => new
        {
            to_floor = Math.Round(r.Load!.PerSecond / r.Floor!.PerSecond, 3), to_aim = r.Aim is { } aim ? Math.Round(r.Load.PerSecond / aim, 2) : (double?)null,
        }),
        heartbeats_stored = stored, jobs_counted = counted, balanced, pass,
    }));
    return pass ? 0 : 1;

    async Task<(DateTimeOffset Started, int Sent)?> MeasureAsync(string name, string title, string method, string path, string? body, int expected, int? aim, int first = 0, int modulo = 0)
    {
        if (only?.Contains(name) == false)
            return null;
        using var probe = await http.SendAsync(Message(new HttpMethod(method), path.TrimStart('/'), body, 99_999_000 + rows.Count, modulo), stop.Token);
        if ((int)probe.StatusCode != expected)
        {
            rows.Add(new Row(name, title, aim, (int)probe.StatusCode, 0, null, null, 0, 0, 0));
            return null;
        }
        var bytes = (await probe.Content.ReadAsByteArrayAsync(stop.Token)).Length;
        var started = TimeProvider.System.GetUtcNow();
        var (load, server, database) = await LoadAsync(new LoadPlan(pool.Port, Connections, warmUp, seconds, method, path, body, expected, first, modulo), control, postgres);
        // A floor needs no warm-up of the database and no queue to fill.
        var (bare, kestrel, _) = await LoadAsync(new LoadPlan(floorAt, Connections, warmUp / 2, seconds / 2, method, $"/{bytes}", body, 200, first, modulo), floor.Id, null);
        rows.Add(new Row(name, title, aim, expected, bytes, load, bare, server * 1e6 / load.Requests, database * 1e6 / load.Requests, kestrel * 1e6 / bare.Requests));
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{name}: {load.PerSecond:0}/s, p99 {load.P99Ms:0.0} ms, server {server * 1e6 / load.Requests:0} µs, postgres {database * 1e6 / load.Requests:0} µs, generator {load.CpuSeconds * 1e6 / load.Requests:0} µs, floor {bare.PerSecond:0}/s"));
        return (started, load.Sent);
    }

    async Task<(LoadResult Result, double Server, double Database)> LoadAsync(LoadPlan plan, int process, int? database)
    {
        using var generator = Start(["load"]);
        await generator.StandardInput.WriteLineAsync(JsonSerializer.Serialize(plan));
        if (await generator.StandardOutput.ReadLineAsync(stop.Token) != "measuring")
            throw new InvalidOperationException("The generator ended before it measured: see its message above.");
        var (serverBefore, databaseBefore) = (Processors.Of(process), database is { } d ? Processors.OfFamily(d) : 0);
        await Task.Delay(TimeSpan.FromSeconds(plan.Seconds), stop.Token);
        var (server, used) = (Processors.Of(process) - serverBefore, database is { } e ? Processors.OfFamily(e) - databaseBefore : 0);
        var line = await generator.StandardOutput.ReadLineAsync(stop.Token) ?? throw new InvalidOperationException("The generator ended without a result: see its message above.");
        await generator.WaitForExitAsync(stop.Token);
        return (JsonSerializer.Deserialize<LoadResult>(line)!, server, used);
    }

    async Task SendAsync(HttpMethod method, string path, string body, int number)
    {
        using var answer = await http.SendAsync(Message(method, path, body, number, 0), stop.Token);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"{method} {path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(stop.Token)}");
    }

    HttpRequestMessage Message(HttpMethod method, string path, string? body, int number, int modulo) => new(method, new Uri(pool.Address, Fill(path, modulo > 0 ? number % modulo : number)))
    {
        Content = body is null ? null : new StringContent(Fill(body, number), Encoding.UTF8, "application/json"),
    };

    async Task<bool> AllHeardFromAsync(DateTimeOffset since)
    {
        var devices = (await server.GetAsync("api/idle-compute/devices", stop.Token))["devices"]!.AsArray().Where(d => ((string)d!["id"]!).StartsWith("bench-0", StringComparison.Ordinal)).ToList();
        return devices.Count == Devices && devices.TrueForAll(d => d!["lastSeen"]!.GetValue<DateTimeOffset>() >= since
            && (double)d["battery"]! == int.Parse(((string)d["id"]!)[6..], CultureInfo.InvariantCulture) * 7 % 90 + 10);
    }

    async Task<int> TotalAsync() => (int)(await server.GetAsync("api/scheduler/jobs?limit=1", stop.Token))["total"]!;
}
finally
{
    Directory.Delete(home, recursive: true);
}

static string Fill(string text, int number) => text
    .Replace("{n}", number.ToString("D8", CultureInfo.InvariantCulture), StringComparison.Ordinal).Replace("{b}", (number * 7 % 90 + 10).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

static Process Start(string[] arguments)
{
    var start = new ProcessStartInfo(Environment.ProcessPath!, [typeof(Row).Assembly.Location, .. arguments]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
    // One thread waits for all sockets and runs what they have to do.
    if (arguments[0] == "load")
    {
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = "1";
    }
    return Process.Start(start)!;
}

static string Built(string project, string file) => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "..", "src", project, "bin", "Release", "net10.0", file));
