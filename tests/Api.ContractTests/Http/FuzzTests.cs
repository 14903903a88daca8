using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.ContractTests.Tokenomics;
using FogCompute.Api.Http;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>
/// Thousands of generated requests to every operation of the document, right and wrong: none may end in a 5xx, each refusal is a problem document with its
/// code, each answer is what the document says. FOG_FUZZ_REQUESTS and FOG_FUZZ_SEED make other runs of it.
/// </summary>
public sealed class FuzzTests
{
    private const int ShownFailures = 25;

    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(["--FOG_RATE_USER=off", "--FOG_RATE_DEVICE=off", "--FOG_RATE_ANONYMOUS=off"]);

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static int Setting(string name, int otherwise) => Environment.GetEnvironmentVariable(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Objects of each kind, so that half of the requests get past "not found".</summary>
    private async Task<(IReadOnlyDictionary<string, IReadOnlyList<string>> Ids, IReadOnlyList<HttpClient> Callers)> PopulateAsync()
    {
        var device = await _server.PostAsync("/api/idle-compute/devices", JsonNode.Parse(Examples.Bodies["RegisterDevice"])!);
        var agent = await _server.PostAsync("/api/idle-compute/devices", new JsonObject { ["device_id"] = "fuzzing-agent", ["device_type"] = "edge", ["cpu_cores"] = 2, ["memory_mb"] = 2048 });
        var jobs = new List<string>();
        for (var i = 0; i < 5; i++)
            jobs.Add((await _server.PostAsync("/api/scheduler/jobs", new JsonObject { ["name"] = $"fuzzed-{i}", ["array"] = new JsonObject { ["count"] = 1 + i } }))["jobId"]!.GetValue<string>());
        var quote = await _server.PostAsync("/api/scheduler/quotes", JsonNode.Parse(Examples.Bodies["QuoteJob"])!);
        await StakingWorld.WithoutWaitingAsync(_server);
        await _server.PostAsync("/api/tokenomics/stake", new JsonObject { ["amount"] = 30 });
        await GovernanceSeed.ExamplesAsync(_server);
        var slash = await StakingWorld.SlashAsync(_server);
        var proposal = await _server.PostAsync("/api/tokenomics/proposals", JsonNode.Parse(InputTable.Proposal)!);
        var (account, member, _) = await _server.NewMemberAsync("fuzzing-member");
        var key = await _server.PostAsync("/api/identity/api-keys", new JsonObject { ["name"] = "fuzzed" });
        var sha = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Examples.Bodies["UploadArtifact"])));
        using var upload = await _server.Client.PutAsync($"/api/artifacts/{sha}", new StringContent(Examples.Bodies["UploadArtifact"]));
        Assert.That(upload.IsSuccessStatusCode, Is.True);
        var ids = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal)
        {
            ["/api/artifacts/"] = [sha],
            ["/api/identity/accounts/"] = [account.ToString()],
            ["/api/identity/api-keys/"] = [key["id"]!.GetValue<string>()],
            ["/api/idle-compute/devices/"] = [device["deviceId"]!.GetValue<string>(), "fuzz-0", "fuzz-1"],
            ["/api/scheduler/nodes/"] = ["fuzzing-agent"],
            ["/api/scheduler/jobs/"] = jobs,
            ["/api/scheduler/quotes/"] = [quote["quoteId"]!.GetValue<string>()],
            ["/api/tokenomics/slashes/"] = [slash.ToString()],
            ["/api/tokenomics/proposals/"] = [proposal["proposalId"]!.GetValue<string>()],
            ["/api/tokenomics/parameters/"] = ["pricing.core_hour_micro"],
            ["/api/tokenomics/checkpoints/"] = ["2026-01-31"],
        };
        // The operator most of the time: who may do least gets no further than 403.
        return (ids, [_server.Client, _server.Client, _server.Client, member, _server.NewClient(agent["deviceToken"]!.GetValue<string>())]);
    }

    [Test]
    public async Task Answers_whatever_comes()
    {
        var seed = Setting("FOG_FUZZ_SEED", 20_260_131);
        var count = Setting("FOG_FUZZ_REQUESTS", 3_000);
        var document = await ApiDocument.OfAsync(_server);
        var (ids, callers) = await PopulateAsync();
        var requests = new FuzzRequests(document, seed, callers.Count, ids);
        var statuses = new ConcurrentDictionary<int, int>();
        var reached = new ConcurrentDictionary<string, int>();
        var slow = new ConcurrentDictionary<string, TimeSpan>();
        var failures = new ConcurrentQueue<(int Number, string Kind, string Text)>();
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (number, cancel) =>
        {
            var request = requests.Next(number);
            var sent = Stopwatch.GetTimestamp();
            try
            {
                using var message = request.Message(_server.Url);
                using var answer = await callers[request.Who].SendAsync(message, cancel);
                var status = (int)answer.StatusCode;
                statuses.AddOrUpdate(status, 1, static (_, n) => n + 1);
                reached.AddOrUpdate(request.Operation.Id, status < 300 ? 1 : 0, (_, n) => status < 300 ? n + 1 : n);
                if (Fault(document, request, answer, await answer.Content.ReadAsStringAsync(cancel)) is { } fault)
                    failures.Enqueue((number, $"{status} of {request.Operation.Id}", $"#{number}: {fault}\n{request}"));
            }
            catch (HttpRequestException broken)
            {
                failures.Enqueue((number, $"no answer of {request.Operation.Id}", $"#{number}: {broken.Message} {broken.InnerException?.Message}\n{request}"));
            }
            slow.AddOrUpdate(request.Operation.Id, _ => Stopwatch.GetElapsedTime(sent), (_, before) => before + Stopwatch.GetElapsedTime(sent));
        });
        TestContext.Out.WriteLine($"{count} requests to {reached.Count} operations in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s, seed {seed}: {string.Join(", ", statuses.OrderBy(s => s.Key).Select(s => $"{s.Value} × {s.Key}"))}");
        TestContext.Out.WriteLine($"most of the time: {string.Join(", ", slow.OrderByDescending(s => s.Value).Take(4).Select(s => $"{s.Key} {s.Value.TotalSeconds:0.0} s"))}");
        // One of each kind: they are read by people.
        if (failures.GroupBy(f => f.Kind).OrderByDescending(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Count()} × {g.Key}, such as {g.MinBy(f => f.Number).Text}").ToList() is { Count: > 0 } kinds)
            Assert.Fail($"seed {seed}, {failures.Count} of {count}:\n{string.Join("\n\n", kinds.Take(ShownFailures))}");
        Assert.That(reached.Keys, Is.EquivalentTo(document.Operations.Select(o => o.Id)), "every operation was asked");
        Assert.That(statuses.GetValueOrDefault(200) + statuses.GetValueOrDefault(201), Is.GreaterThan(count / 10), "a good part gets through, so that more than the reader of bodies is tried");
        // All that came has left the server as it was: ready, and doing its work.
        using var ready = await _server.Client.GetAsync("/readyz");
        Assert.That(ready.IsSuccessStatusCode, Is.True, await ready.Content.ReadAsStringAsync());
        await _server.PostAsync("/api/scheduler/quotes", JsonNode.Parse(Examples.Bodies["QuoteJob"])!);
    }

    /// <summary>What is wrong with the answer; null: nothing.</summary>
    private static string? Fault(ApiDocument document, FuzzRequest request, HttpResponseMessage answer, string text)
    {
        var status = (int)answer.StatusCode;
        // What this installation does not have says so; everything else of 500 and above is a fault.
        if (status >= 500 && !(status == 503 && text.Contains(".not_configured\"", StringComparison.Ordinal)))
            return $"{status} {text}";
        if (request.Routed && !request.Operation.Documents(status) && status is not 405)
            return $"{status} is not documented: {text}";
        if (status < 300)
        {
            if (!request.Routed || answer.Content.Headers.ContentType?.MediaType != "application/json" || request.Operation.AnswerOf(status) is not { } schema)
                return null;
            using var json = JsonDocument.Parse(text);
            return string.Join("; ", document.Misfits(json.RootElement, schema, request.Operation.Id)) is { Length: > 0 } misfits ? misfits : null;
        }
        if (status < 400 || request.Operation.Method == HttpMethod.Head)
            return null;
        // What is no HTTP at all is refused before there is a request that could be described.
        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json")
            return status == 400 && text.Length == 0 && answer.Headers.ConnectionClose == true ? null : $"{status} without a problem document: {answer.Content.Headers.ContentType} '{text}'";
        using var problem = JsonDocument.Parse(text);
        var facts = problem.RootElement;
        return string.Join("; ", document.Misfits(facts, document.Root.GetProperty("components").GetProperty("schemas").GetProperty("Problem"), "problem")) is { Length: > 0 } wrong ? wrong
            : facts.GetProperty("status").GetInt32() != status ? $"{status} says {text}"
            : facts.GetProperty("code").GetString() is not { } code || !code.Contains('.', StringComparison.Ordinal) || facts.GetProperty("detail").GetString() is not { Length: > 0 } ? $"a problem without code or detail: {text}"
            : text.Contains("Exception", StringComparison.Ordinal) || text.Contains("   at FogCompute.", StringComparison.Ordinal) ? $"an answer that speaks of the inside: {text}"
            : null;
    }
}
