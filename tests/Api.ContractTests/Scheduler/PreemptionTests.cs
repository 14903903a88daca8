using System.Diagnostics;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Protocol;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>Notices, checkpoints and what becomes of them, as devices and requesters see it. The device of these tests does only what each of them says.</summary>
public sealed class PreemptionTests
{
    private static readonly string Sha1 = Hash("one"), Sha2 = Hash("two");
    private ApiServer _server = null!;
    private ApiServer _without = null!;

    [OneTimeSetUp]
    public async Task SetUp() => (_server, _without) = (await ApiServer.StartAsync(), await ApiServer.StartAsync(["--FOG_PREEMPTION=off"]));

    [OneTimeTearDown]
    public async Task TearDown()
    {
        await _server.DisposeAsync();
        await _without.DisposeAsync();
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>A device of one slot that carries the label of its name; jobs of a test ask for it.</summary>
    private sealed class Device(string id, HttpClient client, ECDsa key) : IDisposable
    {
        public string Id => id;

        public static async Task<Device> EnrolAsync(ApiServer server, string id)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var answer = await server.PostAsync("/api/idle-compute/devices", JsonSerializer.SerializeToNode(new DeviceRegistration
            {
                DeviceId = id, DeviceType = "desktop", CpuCores = 1, MemoryMb = 1024, Slots = 1, Labels = [id], Isolation = [IsolationLevels.Sandbox],
                PayloadKinds = [PayloadKinds.Command], PublicKey = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()),
            }, WireJson.Requests)!);
            var device = new Device(id, server.NewClient(answer["deviceToken"]!.GetValue<string>()), key);
            await device.PollAsync();
            return device;
        }

        public Task<LeasePollResponse> PollAsync(params HeldLease[] held) => PollAsync(0, held);

        public Task<LeasePollResponse> PollAsync(double wait, params HeldLease[] held) => SendAsync<LeasePollRequest, LeasePollResponse>("poll",
            new LeasePollRequest { WaitSeconds = wait, Held = held, Condition = new DeviceCondition { State = "eligible", Slots = 1 } });

        public async Task<LeaseMessage> TakeAsync()
        {
            for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(60);)
                if ((await PollAsync(2)).Leases is [var lease])
                    return lease;
            throw new AssertionException($"{id} was given nothing in 60 s.");
        }

        public Task<ProgressResponse> RunsAsync(LeaseMessage lease, string state = "running") => SendAsync<ProgressRequest, ProgressResponse>("progress",
            new ProgressRequest { Items = [new AttemptProgress { AttemptId = lease.AttemptId, Epoch = lease.Epoch, State = state, StartedAt = TimeProvider.System.GetUtcNow() }] });

        public async Task<string> EndAsync(LeaseMessage lease, string outcome, string? reason = null, string? checkpoint = null, long wallMs = 5000)
        {
            var report = new AttemptReport
            {
                AttemptId = lease.AttemptId, Epoch = lease.Epoch, Outcome = outcome, Reason = reason, CheckpointSha256 = checkpoint, WallMs = wallMs, StartedAt = TimeProvider.System.GetUtcNow(),
                OutputDigest = outcome == AttemptOutcomes.Succeeded ? OutputManifest.Digest(0, null, []) : null,
            };
            report = report with { Signature = Receipt.Sign(key, id, report) };
            return (await SendAsync<ReportRequest, ReportResponse>("reports", new ReportRequest { Items = [report] })).Items.Single().Status;
        }

        public void Dispose()
        {
            client.Dispose();
            key.Dispose();
        }

        private async Task<TAnswer> SendAsync<TBody, TAnswer>(string what, TBody body)
        {
            using var answer = await client.PostAsJsonAsync($"/api/scheduler/nodes/{id}/{what}", body, WireJson.Requests);
            Assert.That(answer.IsSuccessStatusCode, Is.True, await answer.Content.ReadAsStringAsync());
            return (await answer.Content.ReadFromJsonAsync<TAnswer>(WireJson.Responses))!;
        }
    }

    private static async Task<JsonNode> SubmitAsync(ApiServer server, string label, int priority = 50, string tier = "bronze", bool deterministic = true, string? checkpoint = null) =>
        await server.PostAsync("/api/scheduler/jobs", new JsonObject
        {
            ["name"] = $"{label} {priority}", ["priority"] = priority, ["sla_tier"] = tier, ["deterministic"] = deterministic, ["cpu_required"] = 1, ["memory_required"] = 64, ["retries"] = 0,
            ["payload"] = new JsonObject { ["kind"] = "command", ["argv"] = new JsonArray("true") }, ["limits"] = new JsonObject { ["disk_bytes"] = 0 },
            ["constraints"] = new JsonObject { ["labels"] = new JsonArray(label) }, ["checkpoint"] = checkpoint is null ? null : new JsonObject { ["path"] = checkpoint },
        });

    private static async Task<JsonElement> JobAsync(ApiServer server, JsonNode submitted, string? below = null) =>
        await (await server.Client.GetAsync($"/api/scheduler/jobs/{submitted["jobId"]}{(below is null ? "" : "/" + below)}")).JsonAsync();

    private static IEnumerable<string?> Codes(JsonElement why) => why.GetProperty("reasons").EnumerateArray().Select(r => r.GetProperty("code").GetString());

    private async Task<(string State, string? Reason)> AttemptAsync(JsonNode submitted, LeaseMessage lease)
    {
        var attempt = (await JobAsync(_server, submitted)).GetProperty("attempts").EnumerateArray().Single(a => a.GetProperty("id").GetGuid() == lease.AttemptId);
        return (attempt.GetProperty("state").GetString()!, attempt.GetProperty("reason").GetString());
    }

    private async Task<(int JobErrors, int Losses, int Evictions)> CountersAsync(JsonNode submitted)
    {
        var counters = (await JobAsync(_server, submitted, "tasks")).GetProperty("tasks")[0].GetProperty("counters");
        return (counters.GetProperty("jobErrors").GetInt32(), counters.GetProperty("deviceLosses").GetInt32(), counters.GetProperty("evictions").GetInt32());
    }

    /// <summary>Runs something of priority 10 on the device, submits something urgent and waits for the notice.</summary>
    private async Task<(JsonNode Low, LeaseMessage Lease, JsonNode High, Notice Notice)> NoticedAsync(Device device, string? checkpoint = null)
    {
        var low = await SubmitAsync(_server, device.Id, priority: 10, checkpoint: checkpoint);
        var lease = await device.TakeAsync();
        await device.RunsAsync(lease);
        var since = Stopwatch.GetTimestamp();
        var high = await SubmitAsync(_server, device.Id, priority: 90);
        var answer = await device.PollAsync(30, new HeldLease(lease.AttemptId, lease.Epoch));
        Assert.That(answer.Notices, Has.Count.EqualTo(1), "a poll that waits is woken");
        Assert.That(Stopwatch.GetElapsedTime(since), Is.GreaterThan(TimeSpan.FromSeconds(5)).And.LessThan(TimeSpan.FromSeconds(30)));
        return (low, lease, high, answer.Notices.Single());
    }

    private async Task<int> ExecuteAsync(string sql)
    {
        await using var command = _server.Database.DataSource.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task Urgent_work_gives_notice_and_gets_the_device_when_it_is_given_back()
    {
        using var device = await Device.EnrolAsync(_server, "notice");
        var (low, lease, high, notice) = await NoticedAsync(device, checkpoint: "state");
        Assert.That((notice.AttemptId, notice.Reason), Is.EqualTo((lease.AttemptId, "preempted")));
        Assert.That(notice.GraceSeconds, Is.InRange(15, 30));
        Assert.That((await device.PollAsync(new HeldLease(lease.AttemptId, lease.Epoch))).Notices, Has.Count.EqualTo(1), "until the agent says that it knows");
        Assert.That((await device.PollAsync(new HeldLease(lease.AttemptId, lease.Epoch, true))).Notices, Is.Empty);
        Assert.That(Codes(await JobAsync(_server, low, "why")), Is.EqualTo(new[] { "preempted", "running" }));
        Assert.That(Codes(await JobAsync(_server, high, "why")), Does.Contain("preempting").And.Contain("busy"));
        Assert.That((await AttemptAsync(low, lease)).State, Is.EqualTo("running"), "it has the whole of its notice");

        Assert.That(await device.EndAsync(lease, AttemptOutcomes.Preempted, "preempted", Sha1), Is.EqualTo("recorded"));
        var urgent = await device.TakeAsync();
        Assert.That(urgent.JobId, Is.EqualTo(Guid.Parse(high["jobId"]!.GetValue<string>())));
        Assert.That(await AttemptAsync(low, lease), Is.EqualTo(("preempted", "preempted")));
        var why = await JobAsync(_server, low, "why");
        Assert.That(Codes(why).First(), Is.EqualTo("preempted"));
        Assert.That(why.GetProperty("summary").GetString(), Does.Contain("from its checkpoint"));

        await device.EndAsync(urgent, AttemptOutcomes.Succeeded);
        var again = await device.TakeAsync();
        Assert.That((again.JobId, again.Checkpoint), Is.EqualTo((lease.JobId, new LeaseCheckpoint("state", Sha1, true))));
        await device.EndAsync(again, AttemptOutcomes.Succeeded);
        Assert.That((await JobAsync(_server, low)).GetProperty("status").GetString(), Is.EqualTo("completed"));
        Assert.That(await CountersAsync(low), Is.EqualTo((0, 0, 0)));
    }

    [Test]
    public async Task A_device_that_ignores_the_notice_loses_the_attempt_after_it()
    {
        using var device = await Device.EnrolAsync(_server, "deaf");
        var (low, lease, high, _) = await NoticedAsync(device);
        // The notice was over ten seconds ago, as the control plane reads it.
        Assert.That(await ExecuteAsync($"UPDATE scheduler.attempts SET notice_until = now() - interval '10 seconds' WHERE id = '{lease.AttemptId}'"), Is.EqualTo(1));
        var answer = await device.PollAsync(30, new HeldLease(lease.AttemptId, lease.Epoch, true));
        Assert.That(answer.Revoked, Is.EqualTo(new[] { new Revocation(lease.AttemptId, "preempted") }));
        Assert.That(await AttemptAsync(low, lease), Is.EqualTo(("preempted", "preempted")));
        Assert.That(await CountersAsync(low), Is.EqualTo((0, 0, 0)));
        Assert.That(await device.EndAsync(lease, AttemptOutcomes.Succeeded), Is.Not.EqualTo("recorded"));
        var urgent = await device.TakeAsync();
        Assert.That(urgent.JobId, Is.EqualTo(Guid.Parse(high["jobId"]!.GetValue<string>())));
        await device.EndAsync(urgent, AttemptOutcomes.Succeeded);
        Assert.That((await device.TakeAsync()).Checkpoint, Is.Null);
    }

    [Test]
    public async Task A_checkpoint_on_its_way_is_waited_for()
    {
        using var device = await Device.EnrolAsync(_server, "slow");
        var (low, lease, _, _) = await NoticedAsync(device, checkpoint: "state");
        await device.RunsAsync(lease, "uploading");
        await ExecuteAsync($"UPDATE scheduler.attempts SET notice_until = now() - interval '60 seconds' WHERE id = '{lease.AttemptId}'");
        await Task.Delay(2500);
        Assert.That(await device.EndAsync(lease, AttemptOutcomes.Preempted, "preempted", Sha2), Is.EqualTo("recorded"));
        Assert.That(await AttemptAsync(low, lease), Is.EqualTo(("preempted", "preempted")));
    }

    [Test]
    public async Task Switched_off_nobody_gives_way()
    {
        using var device = await Device.EnrolAsync(_without, "off");
        await SubmitAsync(_without, device.Id, priority: 0);
        var lease = await device.TakeAsync();
        await device.RunsAsync(lease);
        var high = await SubmitAsync(_without, device.Id, priority: 100);
        Assert.That((await device.PollAsync(8, new HeldLease(lease.AttemptId, lease.Epoch))).Notices, Is.Empty);
        Assert.That(Codes(await JobAsync(_without, high, "why")), Does.Contain("busy").And.Not.Contain("preempting"));
    }

    [Test]
    public void A_word_that_is_neither_on_nor_off_stops_the_start() =>
        Assert.That(async () => await ApiServer.StartAsync(["--FOG_PREEMPTION=maybe"]), Throws.Exception.With.Message.Contains("FOG_PREEMPTION is 'maybe'; allowed are on and off"));

    [Test]
    public async Task A_payload_that_asks_for_it_goes_on_at_once_with_its_newest_checkpoint()
    {
        using var device = await Device.EnrolAsync(_server, "asks");
        var job = await SubmitAsync(_server, device.Id, checkpoint: "a/b");
        var first = await device.TakeAsync();
        Assert.That(first.Checkpoint, Is.EqualTo(new LeaseCheckpoint("a/b", null, true)));
        await device.EndAsync(first, AttemptOutcomes.Preempted, "checkpointed", Sha1);
        var second = await device.TakeAsync();
        Assert.That((second.Checkpoint!.Sha256, second.Epoch), Is.EqualTo((Sha1, 2)));
        Assert.That(await device.EndAsync(first, AttemptOutcomes.Preempted, "checkpointed", Sha2), Is.Not.EqualTo("recorded"), "of an epoch that is over");
        await device.EndAsync(second, AttemptOutcomes.Evicted, "user_active", Sha2);
        var third = await device.TakeAsync();
        Assert.That(third.Checkpoint!.Sha256, Is.EqualTo(Sha2), "an owner who takes the machine back loses nothing either");
        await device.EndAsync(third, AttemptOutcomes.Succeeded);

        Assert.That((await JobAsync(_server, job)).GetProperty("status").GetString(), Is.EqualTo("completed"));
        Assert.That(await AttemptAsync(job, first), Is.EqualTo(("preempted", "checkpointed")));
        Assert.That(await CountersAsync(job), Is.EqualTo((0, 0, 1)));
    }

    [Test]
    public async Task A_payload_that_gets_nowhere_fails()
    {
        using var device = await Device.EnrolAsync(_server, "loops");
        var job = await SubmitAsync(_server, device.Id, checkpoint: "state");
        for (var time = 1; time <= 6; time++)
            await device.EndAsync(await device.TakeAsync(), AttemptOutcomes.Preempted, "checkpointed", Hash($"{time}"), wallMs: 900);
        Assert.That((await JobAsync(_server, job)).GetProperty("status").GetString(), Is.EqualTo("failed"));
        Assert.That((await JobAsync(_server, job, "tasks")).GetProperty("tasks")[0].GetProperty("reason").GetString(), Is.EqualTo("checkpoint_loop"));
    }

    [TestCase("bronze", true, true, "not audited")]
    [TestCase("silver", true, false, "from scratch")]
    [TestCase("gold", false, true, "deterministic is false")]
    public async Task A_submit_says_what_becomes_of_checkpoints(string tier, bool deterministic, bool kept, string note)
    {
        var label = $"notes-{tier}";
        using var device = await Device.EnrolAsync(_server, label);
        using var second = await Device.EnrolAsync(_server, label + "-2");
        await ExecuteAsync($"UPDATE idle_compute.devices SET labels = ARRAY['{label}'] WHERE id = '{second.Id}'");
        var job = await SubmitAsync(_server, label, tier: tier, deterministic: deterministic, checkpoint: "state");
        Assert.That(string.Join(' ', job["notes"]!.AsArray().Select(n => n!.GetValue<string>())), Does.Contain(note));
        var leases = new List<LeaseMessage>();
        for (var round = 0; leases.Count == 0 && round < 120; round++)
            leases.AddRange([.. (await device.PollAsync(0.25)).Leases, .. (await second.PollAsync(0.25)).Leases]);
        Assert.That(leases.Select(l => l.Checkpoint), Is.Not.Empty.And.All.EqualTo(new LeaseCheckpoint("state", null, kept)));
    }
}
