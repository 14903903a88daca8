using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>Devices that register and poll over HTTP like agents and run nothing: what placement and <c>why</c> see of a pool.</summary>
internal sealed class PoolOverHttp(ApiServer server)
{
    private readonly Dictionary<string, HttpClient> _agents = [];

    /// <summary>Registers a device and polls once, so that it counts as there.</summary>
    public async Task AddAsync(string id, double cores = 4, long memoryMb = 8192, string type = "desktop", double? score = null, string[]? labels = null, int? slots = null)
    {
        var body = new JsonObject
        {
            ["device_id"] = id, ["device_type"] = type, ["cpu_cores"] = cores, ["memory_mb"] = memoryMb, ["payload_kinds"] = new JsonArray("builtin", "command"),
            ["isolation"] = new JsonArray("process", "sandbox"),
        };
        if (score is not null)
            body["benchmark_score"] = score;
        if (slots is not null)
            body["slots"] = slots;
        if (labels is not null)
            body["labels"] = new JsonArray([.. labels.Select(l => (JsonNode)l)]);
        var registered = await server.PostAsync("/api/idle-compute/devices", body);
        _agents[id] = server.NewClient(registered["deviceToken"]!.GetValue<string>());
        await PollAsync(id, slots: slots ?? (int)cores);
    }

    /// <summary>One look of the long poll; the leases that came.</summary>
    public async Task<JsonArray> PollAsync(string id, string state = "eligible", string? reason = null, int slots = 4)
    {
        var body = new JsonObject { ["wait_seconds"] = 0, ["held"] = new JsonArray(), ["condition"] = new JsonObject { ["state"] = state, ["reason"] = reason, ["slots"] = slots } };
        using var answer = await _agents[id].PostAsync($"/api/scheduler/nodes/{id}/poll", ApiServer.Json(body.ToJsonString()));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, $"{id}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!["leases"]!.AsArray();
    }

    /// <summary>Submits a job of builtin tasks.</summary>
    public async Task<string> SubmitAsync(string name, string tier = "bronze", double cores = 1, double memory = 512, int count = 1, int priority = 50, JsonObject? constraints = null, double minutes = 10)
    {
        var body = new JsonObject
        {
            ["name"] = name, ["sla_tier"] = tier, ["cpu_required"] = cores, ["memory_required"] = memory, ["priority"] = priority, ["duration_estimate"] = minutes,
            ["payload"] = new JsonObject { ["kind"] = "builtin", ["kernel"] = "noop" }, ["array"] = new JsonObject { ["count"] = count },
        };
        if (constraints is not null)
            body["constraints"] = constraints;
        return (await server.PostAsync("/api/scheduler/jobs", body))["jobId"]!.GetValue<string>();
    }

    public async Task<JsonNode> GetAsync(string path)
    {
        using var answer = await server.Client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, $"GET {path}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }
}
