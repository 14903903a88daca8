using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.ContractTests.Scheduler;
using FogCompute.Api.ContractTests.Tokenomics;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>
/// The thirty endpoints that panels and scripts were written against, each asked once of one server with a device, jobs, a stake, a proposal and a
/// benchmark, and every answer compared with what those clients read: the exact names, their nesting and their types.
/// <para>
/// A shape names members and what they are: <c>n</c> number, <c>i</c> whole number, <c>s</c> text, <c>b</c> true or false, <c>t</c> time with offset,
/// <c>u</c> UUID, <c>'a|b'</c> one of these words; <c>?</c> may be null; <c>{…}</c> an object, <c>[…]</c> a list of such, <c>*{…}</c> a map to such.
/// <c>+name</c> is a member of ours beyond what the clients know; any other one fails the test.
/// </para>
/// </summary>
public sealed class ThirtyEndpointsTests
{
    private const string HealthWords = "'healthy|degraded|unknown|unavailable'";

    private const string Health =
        $"status:'healthy|degraded|unhealthy' services:{{dao:{HealthWords} scheduler:{HealthWords} edge:{HealthWords} harvest:{HealthWords} fog_coordinator:{HealthWords} onion:{HealthWords} "
        + $"vpn_coordinator:{HealthWords} p2p:{HealthWords} betanet:{HealthWords} database:{HealthWords} cache:{HealthWords} jobs:{HealthWords}}} version:s checks:*{{status:{HealthWords} durationMs:n message:s}}";

    private const string Dashboard =
        "betanet:{mixnodes:i activeConnections:i avgLatency:n packetsProcessed:i status:'online|offline'} "
        + "bitchat:{activePeers:i messagesDelivered:i messagesProcessed:i encryptionStatus:b meshHealth:'good|fair|poor'? protocols:{ble:i htx:i}} "
        + "benchmarks:{testsRun:i avgScore:n queueLength:i avgLatency:n throughput:n networkUtilization:n cpuUsage:n memoryUsage:n} "
        + "idle:{totalDevices:i harvestingDevices:i computeHours:n} idleCompute:{totalDevices:i harvestingDevices:i computeHours:n} tokenomics:{totalSupply:n activeStakers:i} "
        + "privacy:{activeCircuits:i circuitHealth:n?} timestamp:t unavailable:[s] "
        + "+host";

    private const string Betanet =
        "status:'operational|idle|unavailable' nodes:{total:i active:i inactive:i} network:{latency:n bandwidth:n throughput:n packetsProcessed:i} lastUpdated:t health:n "
        + "mixnodes:[{id:s address:s status:'active|inactive|degraded' packetsProcessed:i uptime:n latency:n reputation:n position:{x:n y:n z:n}}]";

    private const string TokenomicsStats =
        "totalSupply:n circulatingSupply:n stakedTokens:n activeStakers:i proposalsActive:i proposalsTotal:i marketCap:n stakingAPR:n "
        + "tokens:{totalSupply:n circulatingSupply:n marketCap:n price:n} dao:{proposals:i activeVotes:i totalVoters:i treasuryBalance:n} "
        + "marketplace:{activeListings:i totalVolume:n avgPrice:n trades24h:i} rewards:{totalEarned:n computeRewards:n stakingRewards:n governanceRewards:n}";

    private const string Balance = "address:s balance:n staked:n total:n rewards:n? updated_at:t updatedAt:t +held +unbonding";

    private const string Proposal =
        "id:s title:s description:s proposer:s status:s votesFor:n votesAgainst:n votesAbstain:n createdAt:t "
        + "+snapshotAt +votingEndsAt +quorum +quorumReached +approval +action +eta +reason +why";

    private const string SchedulerStats =
        "totalJobs:i runningJobs:i pendingJobs:i completedJobs:i failedJobs:i queueLength:i avgWaitTime:n slaCompliance:{platinum:n? gold:n? silver:n? bronze:n?} "
        + "resourceUtilization:{cpu:n memory:n gpu:n} optimizationScore:n jobs:{queued:i running:i completed:i failed:i} nsga:{generationsRun:i paretoFront:i convergenceRate:n} "
        + "sla:{platinum:{count:i compliance:n} gold:{count:i compliance:n} silver:{count:i compliance:n} bronze:{count:i compliance:n}} "
        + "performance:{avgPlacementTime:n resourceUtilization:n costEfficiency:n} +calibration";

    private const string JobStatus = "'pending|running|paused|completed|failed|cancelled'";
    private const string Sla = "'platinum|gold|silver|bronze'";

    private const string Job =
        $"id:u name:s status:{JobStatus} sla:{Sla} cpu:n memory:n gpu:n node:s? submitted:t started:t? completed:t? progress:n eta:t?";

    private const string JobDetail =
        Job + " logs:[s] result:any? attempts:[any] cost:any why:any? +reason +tasks +plan +quotedP95At +withinQuote";

    private const string IdleStats =
        "totalDevices:i activeDevices:i harvestingDevices:i idleDevices:i totalResources:{cpu:n memory:n avgBattery:n} harvestMetrics:{tasksCompleted:i totalComputeHours:n efficiency:n} deviceTypes:*i "
        + "devices:{total:i active:i charging:i thermal_throttle:i} compute:{totalCPU:n totalGPU:n totalMemory:n utilizationRate:n} harvest:{tasksCompleted:i computeHoursCollected:n energyEfficiency:n} "
        + "mobile:{android:i ios:i batteryHealthAvg:n}";

    private const string DeviceStatus = "'active|idle|harvesting|offline'";

    private const string Device =
        $"id:s type:s status:{DeviceStatus} battery:n? charging:b? cpu:n memory:n temperature:n? lastSeen:t tasksCompleted:i name:s? platform:s? cpuContribution:n? +reason +state";

    private const string DeviceDetail =
        $"id:s type:s status:{DeviceStatus} capabilities:{{cpu:n memory:n battery:n? charging:b? temperature:n?}} stats:{{tasksCompleted:i computeHours:n uptime:n +losses +evictions}} lastSeen:t "
        + "+name +state +reason +isolation +payloadKinds +trust +presence";

    private const string Privacy =
        "activeCircuits:i totalBandwidth:n avgLatency:n circuitHealth:n onionLayers:{average:n min:i max:i} hiddenServices:i vpnConnections:i circuits:{active:i total:i avgLatency:n throughput:n} "
        + "onion:{layers:i nodes:i encryption:s? mixnets:i} vpn:{tunnels:i bandwidth:n connectedUsers:i protocols:[s]} privacy:{anonymityScore:n fingerprintResistance:n trafficObfuscation:n}";

    private const string Peers =
        "connectedPeers:i messagesSent:i messagesReceived:i protocols:{ble:i htx:i mesh:i} networkHealth:s? bitchat:{bleConnections:i offlinePeers:i meshTopology:'star|mesh|hybrid'?} "
        + "betanet:{htxCircuits:i onlineNodes:i throughput:n} unified:{totalPeers:i protocolDistribution:{ble:i htx:i mesh:i} messageQueue:i activeRoutes:i}";

    private const string BenchmarkData =
        "timestamp:i latency:n throughput:n cpuUsage:n memoryUsage:n networkUtilization:n metrics:[{timestamp:i latency:n? throughput:n? cpuUsage:n? memoryUsage:n? networkUtilization:n?}] +benchmark";

    private const string Problem = "type:s title:s status:i detail:s code:s traceId:s errors:any?";

    private readonly List<string> _asked = [];
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    [Test]
    public async Task Every_endpoint_answers_as_its_clients_read_it()
    {
        // A world to be asked about.
        await StakingWorld.WithoutWaitingAsync(_server);
        await GovernanceSeed.ExamplesAsync(_server);
        var pool = new PoolOverHttp(_server);
        await pool.AddAsync("lab-pc-1");
        var address = await GovernanceSeed.AddressOfAsync(_server.Client);
        var leased = await pool.SubmitAsync("leased");
        for (var tries = 0; (await pool.PollAsync("lab-pc-1")).Count == 0; tries++)
        {
            Assert.That(tries, Is.LessThan(1_200), "the job is not placed");
            await Task.Delay(50);
        }
        while (JsonNode.Parse(await _server.Client.GetStringAsync("/api/dashboard/stats"))!["benchmarks"]!["cpuUsage"] is null)
            await Task.Delay(100); // The machine's figures need two looks.

        await GetAsync("/health", Health);
        await GetAsync("/livez", "status:s");
        await GetAsync("/readyz", "status:s");
        await GetAsync("/", "name:s version:s status:s links:*s");
        var dashboard = await GetAsync("/api/dashboard/stats", Dashboard);
        Assert.That((dashboard["idle"]!["totalDevices"]!.GetValue<int>(), dashboard["tokenomics"]!["activeStakers"]!.GetValue<int>(), dashboard["unavailable"]!.AsArray().Count), Is.EqualTo((1, 1, 0)));

        var betanet = await GetAsync("/api/betanet/status", Betanet);
        Assert.That((betanet["status"]!.GetValue<string>(), betanet["nodes"]!["total"]!.GetValue<int>(), betanet["mixnodes"]!.AsArray().Count), Is.EqualTo(("unavailable", 0, 0)));
        await RefuseAsync("POST", "/api/betanet/deploy", """{"node_type":"mixnode","region":"us-east"}""", 503, "betanet.not_configured");

        await GetAsync("/api/tokenomics/stats", TokenomicsStats);
        await GetAsync($"/api/tokenomics/balance?address={address}", Balance);
        await GetAsync("/api/tokenomics/balance", Balance);
        await SendAsync("POST", "/api/tokenomics/stake", $$"""{"address":"{{address}}","amount":"20"}""", 200, "success:b address:s stakedAmount:n totalStaked:n +lockedUntil");
        await SendAsync("POST", "/api/tokenomics/unstake", $$"""{"address":"{{address}}","amount":5}""", 200, "success:b address:s unstakedAmount:n totalStaked:n availableAt:t");
        var proposal = await SendAsync("POST", "/api/tokenomics/proposals", $$"""{"title":"A proposal of the run","description":"It is made so that the list has one more to show than before.","proposer":"{{address}}"}""", 201, "success:b proposalId:s");
        Assert.That(proposal["proposalId"]!.GetValue<string>(), Is.Not.Empty);
        await GetAsync("/api/tokenomics/proposals", $"proposals:[{{{Proposal}}}] total:i +next");
        var active = JsonNode.Parse(FogCompute.Api.Http.Examples.Bodies["Vote"])!["proposal_id"]!.GetValue<string>();
        var vote = await SendAsync("POST", "/api/tokenomics/vote", $$"""{"proposal_id":"{{active}}","voter":"{{address}}","vote":true}""", 200, "success:b proposalId:s vote:'for|against' +power");
        Assert.That(vote["vote"]!.GetValue<string>(), Is.EqualTo("for"));
        await GetAsync($"/api/tokenomics/rewards?address={address}", "address:s pendingRewards:n rewardsRate:n +paidRewards +accruedTo +poolBalance");

        var submitted = await SendAsync("POST", "/api/scheduler/jobs/", """{"name":"test-job","sla_tier":"gold","cpu_required":"4.0","memory_required":8192}""", 201,
            $"success:b jobId:u status:'pending' estimatedStartTime:t? sla:{Sla} +quote +held +plan +quotedP95At +notes");
        var job = submitted["jobId"]!.GetValue<string>();
        await GetAsync("/api/scheduler/stats", SchedulerStats);
        var jobs = await GetAsync("/api/scheduler/jobs?status=pending&limit=1", $"jobs:[{{{Job}}}] total:i filtered:i next:u?");
        Assert.That(jobs["jobs"]!.AsArray(), Has.Count.EqualTo(1));
        await GetAsync($"/api/scheduler/jobs/{leased}", JobDetail);
        await GetAsync($"/api/scheduler/jobs/{job}", JobDetail);
        await SendAsync("PATCH", $"/api/scheduler/jobs/{job}", """{"status":"pause"}""", 200, $"success:b jobId:u status:{JobStatus}");
        await SendAsync("PATCH", $"/api/scheduler/jobs/{job}", """{"status":"running"}""", 200, $"success:b jobId:u status:{JobStatus}");
        var cancelled = await SendAsync("DELETE", $"/api/scheduler/jobs/{job}", null, 200, $"success:b jobId:u status:{JobStatus}");
        Assert.That(cancelled["status"]!.GetValue<string>(), Is.EqualTo("cancelled"));
        await GetAsync("/api/scheduler/nodes", "nodes:[{id:s status:'active|inactive|maintenance' cpu:n memory:n gpu:n load:n trust:n}] total:i");

        await SendAsync("POST", "/api/idle-compute/devices", """{"device_id":"phone-1","device_type":"android","cpu_cores":8,"memory_mb":6144,"battery_percent":80,"is_charging":true}""", 201,
            "success:b deviceId:s status:'registered' deviceToken:s");
        await GetAsync("/api/idle-compute/stats", IdleStats);
        var devices = await GetAsync("/api/idle-compute/devices?device_type=android", $"devices:[{{{Device}}}] total:i");
        Assert.That((devices["total"]!.GetValue<int>(), devices["devices"]![0]!["battery"]!.GetValue<double>()), Is.EqualTo((1, 80.0)));
        await GetAsync("/api/idle-compute/devices/phone-1", DeviceDetail);
        const string heard = "success:b deviceId:s acknowledged:b";
        await SendAsync("POST", "/api/idle-compute/devices/phone-1/heartbeat?battery=79&is_charging=false", null, 200, heard);
        await SendAsync("POST", "/api/idle-compute/devices/phone-1/heartbeat", """{"battery":78,"is_charging":false}""", 200, heard);
        await SendAsync("DELETE", "/api/idle-compute/devices/phone-1", null, 200, "success:b deviceId:s status:'unregistered'");

        await GetAsync("/api/privacy/stats", Privacy);
        await GetAsync("/api/privacy/circuits", "circuits:[{id:s hops:[s] bandwidth:n latency:n health:n created:t}]");
        await GetAsync("/api/p2p/stats", Peers);

        var benchmark = await SendAsync("POST", "/api/benchmarks/start", """{"type":"stress","duration":60}""", 200, "success:b benchmarkId:u type:'latency|throughput|stress' status:'running'");
        await RefuseAsync("POST", "/api/benchmarks/start", """{"type":"latency"}""", 409, "benchmarks.already_running");
        JsonNode data;
        while ((data = await GetAsync("/api/benchmarks/data", BenchmarkData, note: false))["metrics"]!.AsArray().Count == 0)
            await Task.Delay(50);
        Note("GET /api/benchmarks/data");
        var id = benchmark["benchmarkId"]!.GetValue<string>();
        await SendAsync("POST", $"/api/benchmarks/stop?benchmark_id={id}", null, 200, "success:b benchmarkId:u status:'stopped'");

        await MetricsAsync();

        // What does not exist, is not allowed now, or makes no sense.
        await RefuseAsync("GET", "/api/scheduler/jobs/0190f7a0-0000-7000-8000-000000000099", null, 404, "scheduler.job_not_found");
        await RefuseAsync("GET", "/api/idle-compute/devices/nobody", null, 404, "idle_compute.device_not_found");
        await RefuseAsync("GET", "/api/tokenomics/balance?address=fog1nobody", null, 404, null);
        await RefuseAsync("POST", "/api/benchmarks/stop?benchmark_id=0190f7a0-0000-7000-8000-000000000099", null, 404, "benchmarks.not_found");
        await RefuseAsync("PATCH", $"/api/scheduler/jobs/{job}", """{"status":"resume"}""", 409, null);
        await RefuseAsync("POST", $"/api/benchmarks/stop?benchmark_id={id}", null, 409, "benchmarks.not_running");
        await RefuseAsync("POST", "/api/scheduler/jobs", """{"name":"","cpu_required":0,"sla_tier":"gold"}""", 422, "common.validation_failed", "name", "cpu_required");
        await RefuseAsync("POST", "/api/idle-compute/devices", """{"device_id":"x","device_type":"desktop","cpu_cores":0,"memory_mb":1024,"battery_percent":101}""", 422, "common.validation_failed", "cpu_cores", "battery_percent");
        await RefuseAsync("POST", "/api/tokenomics/proposals", """{"title":"short","description":"short"}""", 422, "common.validation_failed", "title", "description");
        await RefuseAsync("POST", "/api/tokenomics/stake", """{"amount":0}""", 422, "common.validation_failed", "amount");
        await RefuseAsync("POST", "/api/benchmarks/start", """{"type":"latency","duration":3601}""", 422, "common.validation_failed", "duration");
        await RefuseAsync("POST", "/api/benchmarks/start", """{"type":"latency","surprise":1}""", 422, "common.validation_failed", "surprise");
        await RefuseAsync("POST", "/api/scheduler/jobs", """{"name":""", 400, "common.malformed_json");

        var endpoints = _asked.Where(a => a.Contains(" /api/", StringComparison.Ordinal)).Select(a => a.Split(" → ")[0]).Where(a => !a.StartsWith("refused", StringComparison.Ordinal)).Distinct().ToList();
        TestContext.Out.WriteLine(string.Join("\n", _asked));
        TestContext.Out.WriteLine($"{endpoints.Count} endpoints below /api, {_asked.Count} answers");
        Assert.That(endpoints, Has.Count.EqualTo(30));
    }

    [Test]
    public async Task What_a_device_did_stays_counted_when_it_leaves()
    {
        await SendAsync("POST", "/api/idle-compute/devices", """{"device_id":"leaver","device_type":"laptop","cpu_cores":2,"memory_mb":2048}""", 201, "success:b deviceId:s status:'registered' deviceToken:s");
        await using (var worked = _server.Database.DataSource.CreateCommand("UPDATE idle_compute.devices SET compute_ms = 7200000, tasks_completed = 3, losses = 1 WHERE id = 'leaver'"))
            await worked.ExecuteNonQueryAsync();
        var before = await GetAsync("/api/idle-compute/stats", IdleStats, note: false);
        Assert.That(before["harvestMetrics"]!["totalComputeHours"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(2));
        await SendAsync("DELETE", "/api/idle-compute/devices/leaver", null, 200, "success:b deviceId:s status:'unregistered'");
        var after = await GetAsync("/api/idle-compute/stats", IdleStats, note: false);
        Assert.That(after["totalDevices"]!.GetValue<int>(), Is.EqualTo(before["totalDevices"]!.GetValue<int>() - 1));
        Assert.That((after["harvestMetrics"]!.ToJsonString(), after["harvest"]!.ToJsonString()), Is.EqualTo((before["harvestMetrics"]!.ToJsonString(), before["harvest"]!.ToJsonString())));
        var dashboard = await GetAsync("/api/dashboard/stats", Dashboard.Replace(":n ", ":n? ", StringComparison.Ordinal), note: false);
        Assert.That(dashboard["idle"]!["computeHours"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(2));
    }

    /// <summary>The table would pass anything if the comparison did.</summary>
    [TestCase("""{"a":1}""", "a:s", false)]
    [TestCase("""{"a":1.5}""", "a:i", false)]
    [TestCase("""{"a":1,"b":2}""", "a:i", false)]
    [TestCase("""{}""", "a:i", false)]
    [TestCase("""{"a":null}""", "a:i", false)]
    [TestCase("""{"a":"yes"}""", "a:'no|never'", false)]
    [TestCase("""{"a":[1,"x"]}""", "a:[i]", false)]
    [TestCase("""{"a":{"b":"2026-01-01T00:00:00"}}""", "a:{b:t}", false)]
    [TestCase("""{"a":{"x":1,"y":"z"}}""", "a:*i", false)]
    [TestCase("""{"a":{"b":"2026-01-01T00:00:00+00:00"},"c":[{"d":true}],"e":null,"f":"no","g":7}""", "a:{b:t} c:[{d:b}] e:n? f:'no|never' +g", true)]
    public void The_comparison_sees_names_types_and_nulls(string json, string shape, bool fits) =>
        Assert.That(Differences(JsonNode.Parse(json), Shape.Parse("{" + shape + "}"), "$"), fits ? Is.Empty : Is.Not.Empty);

    private Task<JsonNode> GetAsync(string path, string shape, bool note = true) => SendAsync("GET", path, null, 200, shape, note);

    private async Task<JsonNode> SendAsync(string method, string path, string? body, int status, string shape, bool note = true)
    {
        using var answer = await AskAsync(method, path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), $"{method} {path}: {text}");
        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/json"));
        if (status == 201)
            Assert.That(answer.Headers.Location, Is.Not.Null, $"{method} {path}");
        var node = JsonNode.Parse(text)!;
        Assert.That(Differences(node, Shape.Parse("{" + shape + "}"), "$"), Is.Empty, $"{method} {path}: {text}");
        if (note)
            Note($"{method} {path}", status);
        return node;
    }

    private async Task RefuseAsync(string method, string path, string? body, int status, string? code, params string[] fields)
    {
        using var answer = await AskAsync(method, path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), $"{method} {path}: {text}");
        var problem = JsonNode.Parse(text)!.AsObject();
        problem.TryAdd("errors", null); // Only where it is about fields.
        Assert.That(Differences(problem, Shape.Parse("{" + Problem + "}"), "$"), Is.Empty, text);
        if (code is not null)
            Assert.That(problem["code"]!.GetValue<string>(), Is.EqualTo(code));
        foreach (var field in fields)
            Assert.That(problem["errors"]!.AsObject().ContainsKey(field), Is.True, $"{field} is not named: {text}");
        // Of an endpoint that can only refuse here, the refusal is its answer.
        Note(status == 503 ? $"{method} {path}" : $"refused {method} {path}", status);
    }

    private async Task<HttpResponseMessage> AskAsync(string method, string path, string? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(method), path) { Content = body is null ? null : ApiServer.Json(body) };
        return await _server.Client.SendAsync(request);
    }

    /// <summary>The route without ids and query, so that each counts once.</summary>
    private void Note(string asked, int status = 200)
    {
        var route = System.Text.RegularExpressions.Regex.Replace(asked.Split('?')[0].TrimEnd('/'), "(jobs|devices)/[^/ ]+", "$1/{id}", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1));
        _asked.Add($"{route} → {status}");
    }

    private async Task MetricsAsync()
    {
        using var socket = new ClientWebSocket();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await socket.ConnectAsync(new UriBuilder(_server.Url) { Scheme = "ws", Path = "/ws/metrics" }.Uri, patience.Token);
        var buffer = new byte[8192];
        var got = await socket.ReceiveAsync(buffer, patience.Token);
        var text = Encoding.UTF8.GetString(buffer, 0, got.Count);
        const string frame =
            "timestamp:t betanet:{active_nodes:i connections:i latency_ms:n packets:i} p2p:{connected_peers:i messages_sent:i messages_received:i} scheduler:{pending:i running:i total:i queue_length:i} "
            + "idle_compute:{total_devices:i harvesting:i} tokenomics:{total_supply:n stakers:i} privacy:{circuits:i}";
        Assert.That(Differences(JsonNode.Parse(text), Shape.Parse("{" + frame + "}"), "$"), Is.Empty, text);
        Note("WS /ws/metrics", 101);
    }

    private static IEnumerable<string> Differences(JsonNode? node, Shape shape, string at)
    {
        if (node is null)
            return shape.Nullable ? [] : [$"{at} is null"];
        return shape.Kind switch
        {
            Kind.Any => [],
            Kind.Object => node is JsonObject o
                ? o.Select(m => m.Key).Except(shape.Members.Keys).Except(shape.Ours).Select(n => $"{at}.{n} is unknown")
                    .Concat(shape.Members.Keys.Concat(shape.Ours).Where(n => !o.ContainsKey(n)).Select(n => $"{at}.{n} is missing"))
                    .Concat(shape.Members.Where(m => o.ContainsKey(m.Key)).SelectMany(m => Differences(o[m.Key], m.Value, $"{at}.{m.Key}")))
                : [$"{at} is no object"],
            Kind.List => node is JsonArray list ? list.SelectMany((item, i) => Differences(item, shape.Inner!, $"{at}[{i}]")) : [$"{at} is no list"],
            Kind.Map => node is JsonObject map ? map.SelectMany(m => Differences(m.Value, shape.Inner!, $"{at}.{m.Key}")) : [$"{at} is no map"],
            _ => Fits(node, shape) ? [] : [$"{at} is {node.ToJsonString()}, no {shape.Word}"],
        };
    }

    private static bool Fits(JsonNode node, Shape shape)
    {
        var kind = node.GetValueKind();
        var text = kind == JsonValueKind.String ? node.GetValue<string>() : "";
        return shape.Word switch
        {
            "n" => kind == JsonValueKind.Number,
            "i" => kind == JsonValueKind.Number && decimal.TryParse(node.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number == decimal.Truncate(number),
            "s" => kind == JsonValueKind.String,
            "b" => kind is JsonValueKind.True or JsonValueKind.False,
            "t" => (text.EndsWith('Z') || text.EndsWith("+00:00", StringComparison.Ordinal)) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _),
            "u" => Guid.TryParseExact(text, "D", out _),
            ['\'', .. var words, '\''] => words.Split('|').Contains(text),
            _ => throw new ArgumentException($"'{shape.Word}' is no type."),
        };
    }

    private enum Kind { Value, Any, Object, List, Map }

    private sealed record Shape(Kind Kind, string Word, bool Nullable, IReadOnlyDictionary<string, Shape> Members, IReadOnlyList<string> Ours, Shape? Inner)
    {
        public static Shape Parse(string text)
        {
            var at = 0;
            var shape = Value(text, ref at);
            return at == text.Length ? shape : throw new FormatException($"Left over: {text[at..]}");
        }

        private static Shape Value(string text, ref int at)
        {
            var (members, ours) = (new Dictionary<string, Shape>(StringComparer.Ordinal), new List<string>());
            Shape? inner = null;
            var (kind, word) = (Kind.Value, "");
            switch (text[at])
            {
                case '{':
                    kind = Kind.Object;
                    for (at++; text[at] != '}';)
                    {
                        if (text[at] == ' ')
                        {
                            at++;
                        }
                        else if (text[at] == '+')
                        {
                            at++;
                            ours.Add(Name(text, ref at));
                        }
                        else
                        {
                            var name = Name(text, ref at);
                            at++; // The colon.
                            members.Add(name, Value(text, ref at));
                        }
                    }
                    at++;
                    break;
                case '[':
                    at++;
                    (kind, inner) = (Kind.List, Value(text, ref at));
                    at++;
                    break;
                case '*':
                    at++;
                    (kind, inner) = (Kind.Map, Value(text, ref at));
                    break;
                case '\'':
                    var end = text.IndexOf('\'', at + 1) + 1;
                    (word, at) = (text[at..end], end);
                    break;
                default:
                    word = Name(text, ref at);
                    kind = word == "any" ? Kind.Any : Kind.Value;
                    break;
            }
            var nullable = at < text.Length && text[at] == '?';
            if (nullable)
                at++;
            return new Shape(kind, word, nullable, members, ours, inner);
        }

        private static string Name(string text, ref int at)
        {
            var start = at;
            while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] == '_'))
                at++;
            return at > start ? text[start..at] : throw new FormatException($"A name is missing at {at}: {text}");
        }
    }
}
