using System.Diagnostics;
using System.Globalization;
using FogCompute.Testing;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>An account and a client with its API key.</summary>
internal sealed record Member(Guid Account, string Address, FogClient Client, string ApiKey);

/// <summary>
/// A control plane with an account that asks for work and one that lends machines, so that what one pays and what the other gets can be told
/// apart. Everything started here is killed and everything written is removed by <see cref="DisposeAsync"/>.
/// </summary>
internal sealed class Pool : IAsyncDisposable
{
    private readonly string _folder = TestCluster.CreateHome();
    private readonly List<ControlPlane> _planes = [];
    private readonly List<(string Id, object Device)> _devices = [];
    private readonly List<IDisposable> _others = [];
    private Balancer? _balancer;
    private int _drain;

    private Pool()
    {
    }

    public ControlPlane Plane => _planes[0];
    public IReadOnlyList<ControlPlane> Planes => _planes;

    /// <summary>How many devices there are.</summary>
    public int Devices => _devices.Count;

    private IEnumerable<Agent> Agents => _devices.Select(d => d.Device).OfType<Agent>();

    /// <summary>No token, from this machine: may see everything.</summary>
    public FogClient Operator { get; private set; } = null!;
    public Member Requester { get; private set; } = null!;
    public Member Provider { get; private set; } = null!;

    /// <summary>The requester's.</summary>
    public FogClient Client => Requester.Client;

    /// <summary>Enrols machines of the provider.</summary>
    public string EnrolmentToken { get; private set; } = "";

    /// <summary>Where clients and agents go unless they are told otherwise: the only control plane, or the load balancer before several.</summary>
    public Uri Front { get; private set; } = null!;

    /// <param name="silence">FOG_DEVICE_SILENCE_SECONDS: after how long a device that says nothing is lost.</param>
    /// <param name="parameters">FOG_PARAMETERS: what its founder sets; null: nothing.</param>
    /// <param name="databaseUrl">DATABASE_URL; null: the first control plane runs the embedded database.</param>
    /// <param name="replicas">Control planes; more than one stand behind a <see cref="Balancer"/>.</param>
    /// <param name="drain">FOG_DRAIN_SECONDS.</param>
    public static async Task<Pool> OpenAsync(int silence, string? parameters = null, string? databaseUrl = null, int replicas = 1, int drain = 0)
    {
        var pool = new Pool { _drain = drain };
        try
        {
            await pool.StartPlaneAsync("a", silence, databaseUrl, parameters);
            for (var name = 'b'; pool._planes.Count < replicas; name++)
                await pool.StartPlaneAsync(name.ToString(), silence, databaseUrl ?? pool.Plane.DatabaseUrl, parameters);
            if (replicas > 1)
                pool._balancer = new Balancer([.. pool._planes.Select(p => p.Url)]);
            pool.Front = pool._balancer?.Url ?? pool.Plane.Url;
            pool.Operator = pool.ClientAt(pool.Front, null);
            pool.Requester = await pool.OpenAccountAsync("requester");
            pool.Provider = await pool.OpenAccountAsync("provider");
            pool.EnrolmentToken = (await pool.Operator.PostAsync<Issued>("api/identity/enrolment-tokens", new { account_id = pool.Provider.Account, uses = 1000 })).Secret;
            return pool;
        }
        catch
        {
            await pool.DisposeAsync();
            throw;
        }
    }

    /// <summary>Another control plane on the database and the artifacts of the first.</summary>
    public Task<ControlPlane> StartSecondPlaneAsync(int silence) => StartPlaneAsync("b", silence, Plane.DatabaseUrl);

    /// <summary>
    /// How many control planes a pool has whose tests kill none: one, or two with FOG_TWO_REPLICAS=1, which repeats the scenarios behind a load balancer.
    /// </summary>
    public static int Replicas => Environment.GetEnvironmentVariable("FOG_TWO_REPLICAS") == "1" ? 2 : 1;

    private FogClient ClientAt(Uri server, string? token)
    {
        var client = new FogClient(server, token);
        _others.Add(client);
        return client;
    }

    public async Task<Member> OpenAccountAsync(string name)
    {
        var account = await Operator.PostAsync<Account>("api/identity/accounts", new { name });
        var key = await Operator.PostAsync<Issued>("api/identity/api-keys", new { name = "test", account_id = account.Id });
        return new Member(account.Id, account.Address, ClientAt(Front, key.Secret), key.Secret);
    }

    /// <summary>Starts an agent without waiting for it.</summary>
    public Agent StartAgent(string id, AgentOptions options, ControlPlane? plane = null)
    {
        var agent = new Agent(id, plane?.Url ?? Front, EnrolmentToken, Path.Combine(_folder, "agents", id), options);
        _devices.Add((id, agent));
        agent.Start();
        return agent;
    }

    /// <summary>Starts <paramref name="count"/> agents named after their label and returns when all of them ask for work.</summary>
    public async Task<IReadOnlyList<Agent>> StartAgentsAsync(int count, AgentOptions options, ControlPlane? plane = null, string? prefix = null)
    {
        var agents = Enumerable.Range(1, count).Select(i => StartAgent($"{prefix ?? options.Label}-{i}", options, plane)).ToList();
        await OnlineAsync([.. agents.Select(a => a.Id)]);
        return agents;
    }

    /// <summary>Returns when these devices ask for work.</summary>
    public async Task OnlineAsync(params string[] devices)
    {
        foreach (var id in devices)
        {
            await Wait.UntilAsync($"device {id} asks for work", async () =>
            {
                try
                {
                    return (await Operator.DeviceWhyAsync(id)).Reason;
                }
                catch (RefusedException refused) when (refused.Status == System.Net.HttpStatusCode.NotFound)
                {
                    return "not_registered";
                }
            }, reason => reason is not ("not_registered" or "no_agent" or "silent" or "lost"));
        }
    }

    public async Task<FakeDevice> EnrolFakeAsync(string id, string label, string? token = null, ControlPlane? plane = null)
    {
        var device = await FakeDevice.EnrolAsync(plane?.Url ?? Front, id, token ?? EnrolmentToken, label);
        _others.Add(device);
        _devices.Add((id, device));
        return device;
    }

    /// <summary>Removes the devices that were started after there were this many, and cancels what was left open: the next test finds nothing of this one.</summary>
    public async Task CleanUpAsync(int devicesKept)
    {
        if (!Plane.IsRunning)
            await Plane.StartAsync();
        foreach (var job in (await Client.JobsAsync()).Where(j => j.Status is "pending" or "running" or "paused"))
            await Client.CancelAsync(job.Id);
        foreach (var (id, device) in _devices.Skip(devicesKept).ToList())
        {
            if (device is Agent agent)
                await agent.DisposeAsync();
            try
            {
                await Operator.DeleteDeviceAsync(id);
            }
            catch (RefusedException refused) when (refused.Status == System.Net.HttpStatusCode.NotFound)
            {
                // It never got as far as registering.
            }
        }
        _devices.RemoveRange(devicesKept, _devices.Count - devicesKept);
    }

    /// <summary>Waits for the job to end and requires that it completed.</summary>
    public async Task<JobView> CompletedAsync(Guid id, TimeSpan? patience = null, FogClient? client = null)
    {
        var job = await EndedAsync(id, patience, client);
        Assert.That(job.Status, Is.EqualTo("completed"), FogClient.Show(job));
        Assert.That(job.Tasks.Succeeded, Is.EqualTo(job.Tasks.Total));
        return job;
    }

    public Task<JobView> EndedAsync(Guid id, TimeSpan? patience = null, FogClient? client = null) =>
        Wait.UntilAsync("the job ends", () => (client ?? Client).JobAsync(id), j => j.Status is "completed" or "failed" or "cancelled", patience);

    /// <summary>Waits until a live attempt of the job is in this state and returns it.</summary>
    public async Task<AttemptView> AttemptAsync(Guid job, params string[] states)
    {
        var seen = await Wait.UntilAsync($"an attempt is {string.Join(" or ", states)}", () => Client.JobAsync(job), j => j.Attempts.Any(a => states.Contains(a.State)));
        return seen.Attempts.First(a => states.Contains(a.State));
    }

    /// <summary>
    /// The promise of exactly one payment: each succeeded task of these ended jobs has one settlement in the requester's ledger, what was paid is
    /// what was charged, nothing is held for them any more, and the whole ledger adds up.
    /// </summary>
    public async Task AssertSettledOnceAsync(params Guid[] jobs)
    {
        var lines = await Client.LedgerAsync();
        foreach (var id in jobs)
        {
            var job = await Client.JobAsync(id);
            var tasks = await Client.TasksAsync(id);
            var payments = await Client.PaymentsAsync(id);
            var ours = lines.Where(l => l.JobId == id).ToList();
            var settlements = ours.Where(l => l.Kind == "settlement" && l.Account == "held").ToList();
            Assert.Multiple(() =>
            {
                Assert.That(settlements.Select(s => s.TaskIndex).Order(), Is.EqualTo(tasks.Where(t => t.State == "succeeded").Select(t => (int?)t.Index)), "one settlement per succeeded task");
                Assert.That(settlements.Sum(s => -s.Amount), Is.EqualTo(job.Cost.Charged), "settlements and charge");
                Assert.That(payments.Total, Is.EqualTo(job.Cost.Charged), "payments and charge");
                Assert.That(payments.Payments.Sum(p => p.Amount) + payments.Fee + payments.Burned, Is.EqualTo(payments.Total), "parts of the payments");
                Assert.That(tasks.Sum(t => t.Cost), Is.EqualTo(job.Cost.Charged), "tasks and charge");
                Assert.That(ours.Where(l => l.Account == "held").Sum(l => l.Amount), Is.Zero, "left in the hold");
                Assert.That(ours.Sum(l => l.Amount), Is.EqualTo(-job.Cost.Charged), "what the job cost the requester altogether");
            });
        }
        await AssertBalancedAsync();
    }

    /// <summary>The ledger adds up, also by its own re-derivation, and no credit came or went.</summary>
    public async Task<AuditView> AssertBalancedAsync(long openHolds = 0)
    {
        var audit = await Wait.UntilAsync("the journal is sealed", Operator.AuditAsync, a => a.Unsealed == 0 || a.Differences.Count > 0);
        Assert.Multiple(() =>
        {
            Assert.That(audit.Balanced, FogClient.Show(audit));
            Assert.That(audit.Differences, Is.Empty);
            Assert.That(audit.Supply, Is.EqualTo(audit.Cap));
            Assert.That(audit.OpenHolds, Is.EqualTo(openHolds), "open holds");
        });
        return audit;
    }

    /// <summary>For a failed test.</summary>
    public void PrintLogs()
    {
        foreach (var plane in _planes)
            TestContext.Out.WriteLine($"--- control plane {plane.Name} ({plane.Url}) ---\n{plane.Tail(40)}");
        foreach (var agent in Agents)
            TestContext.Out.WriteLine($"--- agent {agent.Id} ---\n{agent.Tail(15)}");
    }

    public async ValueTask DisposeAsync()
    {
        var started = Stopwatch.GetTimestamp();
        foreach (var other in _others)
            other.Dispose();
        // One that does not end must not keep the others alive.
        var ends = Agents.Select(a => a.DisposeAsync().AsTask()).Concat(_planes.AsEnumerable().Reverse().Select(p => p.DisposeAsync().AsTask())).ToList();
        try
        {
            await Task.WhenAll(ends);
        }
        finally
        {
            if (_balancer is not null)
                await _balancer.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
            TestContext.Progress.WriteLine($"pool closed in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        }
    }

    private async Task<ControlPlane> StartPlaneAsync(string name, int silence, string? databaseUrl = null, string? parameters = null)
    {
        var settings = new Dictionary<string, string>
        {
            ["FOG_DEVICE_SILENCE_SECONDS"] = silence.ToString(), ["FOG_AUDIT_WAIT_SECONDS"] = "2", ["FOG_DRAIN_SECONDS"] = _drain.ToString(CultureInfo.InvariantCulture), ["Logging__LogLevel__Default"] = "Information",
            ["Logging__LogLevel__Microsoft"] = "Warning",
            // Its accounts do in minutes what others do in days.
            ["FOG_PLAN_FREE"] = "none/none/none",
        };
        if (databaseUrl is not null)
            settings["DATABASE_URL"] = databaseUrl;
        if (parameters is not null)
            settings["FOG_PARAMETERS"] = parameters;
        var home = Path.Combine(_folder, "home");
        // The database server may run under another account, which must be able to pass through.
        if (!OperatingSystem.IsWindows())
            Directory.CreateDirectory(home, (UnixFileMode)Convert.ToInt32("755", 8));
        var plane = new ControlPlane(name, home, settings);
        _planes.Add(plane);
        var started = Stopwatch.GetTimestamp();
        await plane.StartAsync();
        await TestContext.Progress.WriteLineAsync($"control plane {name} ready in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        return plane;
    }

    private sealed record Account(Guid Id, string Address);

    private sealed record Issued(string Secret);
}
