using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>How an agent is started. Numbers are what it offers, whatever this machine has.</summary>
internal sealed record AgentOptions
{
    /// <summary>Jobs of a test ask for its label, so tests do not get each other's devices.</summary>
    public required string Label { get; init; }
    public double Cpu { get; init; } = 2;
    public int MemoryMb { get; init; } = 2048;
    public int Slots { get; init; } = 4;
    public string Type { get; init; } = "desktop";

    /// <summary>A preset, or the content of a policy file.</summary>
    public string Policy { get; init; } = "dedicated";

    /// <summary>Content of the sensors file; default: a machine without any sensor.</summary>
    public object Sensors { get; init; } = new Dictionary<string, object?>
    {
        ["battery_percent"] = null, ["charging"] = null, ["temperature_celsius"] = null, ["other_cpu"] = null, ["user_idle_seconds"] = null, ["network"] = null,
    };
}

/// <summary>A fog-node process with a state folder of its own.</summary>
internal sealed class Agent(string id, Uri server, string token, string folder, AgentOptions options) : IAsyncDisposable
{
    private ChildProcess? _process;

    public string Id => id;
    public string State => Path.Combine(folder, "state");

    public void Start()
    {
        Directory.CreateDirectory(folder);
        SetSensors(options.Sensors);
        var policy = options.Policy;
        if (policy.StartsWith('{'))
        {
            policy = Path.Combine(folder, "policy.json");
            File.WriteAllText(policy, options.Policy);
        }
        _process?.Dispose();
        _process = new ChildProcess(id, "Node", "fog-node.dll",
        [
            "run", "--server", server.ToString(), "--id", id, "--state", State, "--token", token, "--type", options.Type, "--policy", policy, "--sensors", SensorsFile,
            "--cpu", options.Cpu.ToString(CultureInfo.InvariantCulture), "--memory-mb", options.MemoryMb.ToString(CultureInfo.InvariantCulture),
            "--slots", options.Slots.ToString(CultureInfo.InvariantCulture), "--labels", options.Label, "--verbose",
        ], new Dictionary<string, string>());
    }

    /// <summary>Replaces the sensors at once, never half-written.</summary>
    public void SetSensors(object readings)
    {
        File.WriteAllText(SensorsFile + ".new", JsonSerializer.Serialize(readings));
        File.Move(SensorsFile + ".new", SensorsFile, overwrite: true);
    }

    /// <summary>kill -9.</summary>
    public Task KillAsync() => _process?.KillAsync() ?? Task.CompletedTask;

    /// <summary>SIGTERM; the exit code, or null when it had to be killed after 30 s.</summary>
    public async Task<int?> StopAsync()
    {
        if (await _process!.TerminateAsync(TimeSpan.FromSeconds(30)))
            return _process.ExitCode;
        await KillAsync();
        return null;
    }

    /// <summary>What `fog-node status --json` prints.</summary>
    public async Task<JsonNode> StatusAsync()
    {
        using var status = new ChildProcess(id + " status", "Node", "fog-node.dll", ["status", "--state", State, "--json"], new Dictionary<string, string>());
        await Wait.UntilAsync($"status of {id}", () => status.HasExited && (status.ExitCode != 0 || status.LastLine is not null));
        return status.ExitCode == 0 ? JsonNode.Parse(status.LastLine!)! : throw new AssertionException($"fog-node status ended with code {status.ExitCode}: {status.Tail(5)}");
    }

    public string Tail(int lines) => _process?.Tail(lines) ?? "    (never started)";

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process?.Dispose();
    }

    private string SensorsFile => Path.Combine(folder, "sensors.json");
}
