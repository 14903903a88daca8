using System.Text.Json.Nodes;
using System.Text.Json;
using FogCompute.Cli.Output;
using FogCompute.Cli.Server;

namespace FogCompute.Cli.Diagnosis;

/// <summary>The agents that were enrolled on this machine (node-NAME in FOG_HOME, FOG_NODE_STATE): whether the control plane that each belongs to still takes its key.</summary>
internal static class AgentCheck
{
    public static async Task<IReadOnlyList<Finding>> RunAsync(CliHost host, CancellationToken cancel)
    {
        var folders = new List<string>();
        if (Directory.Exists(host.FogHome))
            folders.AddRange(Directory.GetDirectories(host.FogHome, "node-*").Order(StringComparer.Ordinal));
        if (host.Variable("FOG_NODE_STATE") is { } state)
            folders.Add(Path.GetFullPath(state, host.CurrentDirectory));
        var findings = new List<Finding>();
        foreach (var folder in folders.Distinct(StringComparer.Ordinal))
        {
            if (await CheckAsync(folder, cancel) is { } finding)
                findings.Add(finding);
        }
        return findings;
    }

    /// <summary>Null: no agent was enrolled there.</summary>
    private static async Task<Finding?> CheckAsync(string folder, CancellationToken cancel)
    {
        const string check = "Agent";
        try
        {
            var (record, key) = (Path.Combine(folder, "device.json"), Path.Combine(folder, "device.token"));
            if (!File.Exists(record) || !File.Exists(key))
                return null;
            var stored = JsonNode.Parse(await File.ReadAllTextAsync(record, cancel));
            if (stored.Text("Id") is not { } id || !Uri.TryCreate(stored.Text("Server"), UriKind.Absolute, out var address))
                return Finding.Warn(check, $"{record} is damaged", "Restore it, or delete the folder and enrol the machine again: fog node start");
            using var server = new FogServer(address, (await File.ReadAllTextAsync(key, cancel)).Trim());
            try
            {
                await server.GetAsync($"api/idle-compute/devices/{Uri.EscapeDataString(id)}", cancel);
            }
            catch (CliException refused) when (refused.Problem.Text("code") == "identity.invalid_token")
            {
                return Finding.Fail(check, $"{address} refuses the key of '{id}': somebody removed this device",
                    $"If it shall lend its time again: get an enrolment token from the control plane, then fog node start --state {folder} --id {id} --server {address} --enrolment-token TOKEN");
            }
            catch (CliException refused) when (refused.Problem.Text("code") == "identity.forbidden")
            {
                // The key is known, and that is the question.
            }
            catch (CliException error)
            {
                return Finding.Warn(check, $"'{id}' ({folder}): {error.Message}", "It goes on by itself as soon as its control plane answers.");
            }
            return Finding.Ok(check, $"{address} takes the key of '{id}'");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or JsonException)
        {
            return Finding.Warn(check, $"{folder}: {unreadable.Message}", "Run fog doctor as the user whose agent that is.");
        }
    }
}
