using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Cli.Server;
using FogCompute.WebSocket;

// How long does a frame of /ws/metrics take to thousands of listeners, and what does each of them cost? A real control plane with a seeded pool, against `ws`
// (Node.js), which sends the same frame on the same beat without knowing anything of a pool, and against a SignalR hub. Listeners are a process of their own; one
// more never reads.
// Usage: ./dev bench websocket [--clients 1000,5000,10000] [--seconds 8]

if (args is ["clients", var portText, var path, var countText, var secondsText, var kind])
{
    await new Clients(int.Parse(portText, CultureInfo.InvariantCulture), path, int.Parse(countText, CultureInfo.InvariantCulture), kind == "signalr").RunAsync(double.Parse(secondsText, CultureInfo.InvariantCulture));
    return 0;
}
if (args is ["signalr", var hubPort, var template])
{
    await SignalRPeer.RunAsync(int.Parse(hubPort, CultureInfo.InvariantCulture), template, CancellationToken.None);
    return 0;
}

int[] sizes = [.. (Option("--clients") ?? "1000,5000,10000").Split(',').Select(s => int.Parse(s, CultureInfo.InvariantCulture))];
var seconds = double.Parse(Option("--seconds") ?? "8", CultureInfo.InvariantCulture);
using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(6));
var home = Directory.CreateTempSubdirectory("fog-bench-").FullName;
// As root the database runs under an account of its own, which must be able to enter.
if (!OperatingSystem.IsWindows())
    File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
var rows = new List<Row>();
try
{
    string frame;
    await using (var pool = new LocalPool(CliHost.System(), new ProductBinaries(ProductBinaries.FindDotnet(), Built("Api", "FogCompute.Api.dll"), ""), home, LocalPool.FreePort(), logToFiles: true, new Dictionary<string, string?>()))
    {
        using var server = new FogServer(pool.Address, null);
        await pool.StartControlPlaneAsync(server, stop.Token);
        await SeedAsync(server, stop.Token);
        frame = await FrameAsync(pool.Port, stop.Token);
        await MeasureAsync("FogCompute", pool.ControlPlane!.ProcessId, pool.Port, "/ws/metrics", "plain");
    }
    using (var hub = Start(ProductBinaries.FindDotnet(), [typeof(Clients).Assembly.Location, "signalr", Port(out var hubAt), frame]))
        await PeerAsync("SignalR", hub, hubAt, "/hub", "signalr");
    if (await InstallWsAsync(home, stop.Token) is { } node)
    {
        using var broadcaster = Start(node, [Path.Combine(home, "broadcast.js"), Port(out var wsAt), frame]);
        await PeerAsync("ws (Node.js)", broadcaster, wsAt, "/", "plain");
    }
}
finally
{
    Directory.Delete(home, recursive: true);
}

var ours = rows.Where(r => r.Server == "FogCompute").ToList();
var pass = ours.Count == sizes.Length && ours.TrueForAll(r => r.Delivery is { Failed: 0, Missing: 0, BeatP99: >= 0 and < 200, Jitter: >= 0 and < 50 } && r.KiloBytes <= 20);
Console.WriteLine($"""

    One frame a second to everybody, {seconds} s each, one more listener never reads; all on one machine of {Environment.ProcessorCount} processors. Delivery counts from the first listener
    that has the frame; "from its timestamp" adds what lies before that (the control plane looks at the pool up to 100 ms before the beat). Jitter is how far that first delivery is off the even second at most.

    | server | listeners | delivery p50, ms | p99 (aim < 200) | max | from its timestamp, p99 | jitter, ms (aim < 50) | server's CPU, % of one | KB per connection (aim ≤ 20) | missing frames |
    |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
    """);
foreach (var r in rows)
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {r.Server} | {r.Delivery.Connected} | {r.Delivery.BeatP50:0.0} | {r.Delivery.BeatP99:0.0} | {r.Delivery.BeatMax:0.0} | {r.Delivery.StampP99:0.0} | {r.Delivery.Jitter:0.0} | {r.Cpu:0} | {r.KiloBytes:0.0} | {r.Delivery.Missing} |"));
}
Console.WriteLine();
Console.WriteLine(JsonSerializer.Serialize(new
{
    benchmark = "websocket", processors = Environment.ProcessorCount, seconds,
    figures = rows.Select(r => new
    {
        server = r.Server, clients = r.Delivery.Connected, failed = r.Delivery.Failed, beats = r.Delivery.Beats, p50_ms = r.Delivery.BeatP50, p99_ms = r.Delivery.BeatP99, max_ms = r.Delivery.BeatMax,
        from_timestamp_p99_ms = r.Delivery.StampP99, jitter_ms = Math.Round(r.Delivery.Jitter, 2), cpu_percent = Math.Round(r.Cpu, 1), kb_per_connection = Math.Round(r.KiloBytes, 2), missing = r.Delivery.Missing,
    }),
    ratios = rows.Where(r => r.Server != "FogCompute").Select(r => (Peer: r, Ours: ours.FirstOrDefault(o => o.Size == r.Size))).Where(r => r.Ours is not null).Select(r => new
    {
        peer = r.Peer.Server, clients = r.Peer.Size, p99 = Ratio(r.Ours!.Delivery.BeatP99, r.Peer.Delivery.BeatP99), cpu = Ratio(r.Ours.Cpu, r.Peer.Cpu), memory = Ratio(r.Ours.KiloBytes, r.Peer.KiloBytes),
    }),
    pass,
}));
return pass ? 0 : 1;

string? Option(string name) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;

static double? Ratio(double ours, double theirs) => theirs > 0 && double.IsFinite(ours / theirs) ? Math.Round(ours / theirs, 2) : null;

static string Port(out int port) => (port = LocalPool.FreePort()).ToString(CultureInfo.InvariantCulture);

async Task PeerAsync(string name, Process server, int port, string at, string kind)
{
    try
    {
        if (await server.StandardOutput.ReadLineAsync(stop.Token) != "ready")
            throw new InvalidOperationException($"{name} did not start: {await server.StandardError.ReadToEndAsync(stop.Token)}");
        await MeasureAsync(name, server.Id, port, at, kind);
    }
    finally
    {
        server.Kill();
        await server.WaitForExitAsync(CancellationToken.None);
    }
}

async Task MeasureAsync(string name, int server, int port, string at, string kind)
{
    // The code that serves a connection is compiled, and its pools are filled, before memory is looked at.
    await ListenAsync(name, server, port, at, kind, 200, 2);
    foreach (var size in sizes)
    {
        rows.Add(await ListenAsync(name, server, port, at, kind, size, seconds));
        var r = rows[^1];
        Console.Error.WriteLine($"{name}, {size} listeners: p99 {r.Delivery.BeatP99:0.0} ms, {r.KiloBytes:0.0} KB each");
    }
}

async Task<Row> ListenAsync(string name, int server, int port, string at, string kind, int size, double time)
{
    await Task.Delay(TimeSpan.FromSeconds(1.5), stop.Token); // The listeners before have left.
    var before = Resident(server);
    using var clients = Start(ProductBinaries.FindDotnet(), [typeof(Clients).Assembly.Location, "clients", port.ToString(CultureInfo.InvariantCulture), at, size.ToString(CultureInfo.InvariantCulture), time.ToString(CultureInfo.InvariantCulture), kind]);
    try
    {
        if (await clients.StandardOutput.ReadLineAsync(stop.Token) != "ready")
            throw new InvalidOperationException($"The listeners did not connect: {await clients.StandardError.ReadToEndAsync(stop.Token)}");
        await Task.Delay(TimeSpan.FromSeconds(2.5), stop.Token);
        var (cpu, started) = (Processor(server), Stopwatch.GetTimestamp());
        await clients.StandardInput.WriteLineAsync();
        var line = await clients.StandardOutput.ReadLineAsync(stop.Token);
        var used = (Processor(server) - cpu) / Stopwatch.GetElapsedTime(started).TotalSeconds;
        var after = Resident(server);
        var delivery = JsonSerializer.Deserialize<Delivery>(line ?? throw new InvalidOperationException($"The listeners ended: {await clients.StandardError.ReadToEndAsync(stop.Token)}"))!;
        return new Row(name, size, delivery, used * 100, Math.Max(0, after - before) / 1024.0 / Math.Max(1, delivery.Connected));
    }
    finally
    {
        if (!clients.HasExited)
            clients.Kill();
    }
}

static Process Start(string program, IEnumerable<string> arguments)
{
    var info = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
    // The listeners take what comes where it comes: no thread is woken for each.
    if (info.ArgumentList.Contains("clients"))
        info.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
    return Process.Start(info)!;
}

// Resident memory, bytes.
static long Resident(int process) => long.Parse(File.ReadAllText($"/proc/{process}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

// Seconds of processor time so far. The name in parentheses may have blanks; ticks are hundredths on Linux.
static double Processor(int process)
{
    var fields = File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ');
    return (long.Parse(fields[12], CultureInfo.InvariantCulture) + long.Parse(fields[13], CultureInfo.InvariantCulture)) / 100.0;
}

static async Task SeedAsync(FogServer server, CancellationToken cancel)
{
    for (var i = 0; i < 50; i++)
        await server.SendAsync(HttpMethod.Post, "api/idle-compute/devices", new JsonObject { ["device_id"] = $"bench-{i}", ["device_type"] = "desktop", ["cpu_cores"] = 8, ["memory_mb"] = 16384 }, null, cancel);
    for (var i = 0; i < 40; i++)
        await server.SendAsync(HttpMethod.Post, "api/scheduler/jobs", new JsonObject { ["name"] = $"bench-{i}", ["duration_estimate"] = 1, ["array"] = new JsonObject { ["count"] = 25 } }, null, cancel);
}

// What the control plane sends, with the place of its time: the peers send the same.
static async Task<string> FrameAsync(int port, CancellationToken cancel)
{
    using var socket = new System.Net.WebSockets.ClientWebSocket();
    await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/ws/metrics"), cancel);
    var buffer = new byte[4096];
    var got = await socket.ReceiveAsync(buffer, cancel);
    var frame = JsonNode.Parse(buffer.AsSpan(0, got.Count))!.AsObject();
    frame["timestamp"] = "@now@";
    return frame.ToJsonString();
}

// The folder of the benchmark gets the package; null, and a word about it, where Node.js or its registry is not there.
static async Task<string?> InstallWsAsync(string home, CancellationToken cancel)
{
    var node = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "node")).FirstOrDefault(File.Exists);
    if (node is null)
    {
        Console.Error.WriteLine("Node.js is not installed: its `ws` is left out.");
        return null;
    }
    File.Copy(Path.Combine(AppContext.BaseDirectory, "peer", "broadcast.js"), Path.Combine(home, "broadcast.js"));
    using var npm = Process.Start(new ProcessStartInfo("npm", ["install", "--no-audit", "--no-fund", "--prefix", home, "ws@8"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = home })!;
    var (output, errors) = (npm.StandardOutput.ReadToEndAsync(cancel), npm.StandardError.ReadToEndAsync(cancel));
    using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
    patience.CancelAfter(TimeSpan.FromSeconds(60));
    try
    {
        await npm.WaitForExitAsync(patience.Token);
    }
    catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
    {
        npm.Kill(entireProcessTree: true);
    }
    if (npm.HasExited && npm.ExitCode == 0)
        return node;
    Console.Error.WriteLine($"`ws` could not be installed, and is left out: {(await errors).Split('\n')[0]} {(await output).Split('\n')[0]}");
    return null;
}

// …/benchmarks/WebSocket/bin/Release/net10.0/ → …/src/X/bin/Release/net10.0/
static string Built(string project, string dll)
{
    var here = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar);
    var configuration = Path.GetFileName(Path.GetDirectoryName(here))!;
    return Path.GetFullPath(Path.Combine(here, "..", "..", "..", "..", "..", "src", project, "bin", configuration, Path.GetFileName(here), dll));
}
