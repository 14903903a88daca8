using System.Security.Cryptography;
using FogCompute.Protocol;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>
/// A device that this test plays itself, over real HTTP with a real key: for what an honest agent never does (lie) and for moments that a real
/// one passes too quickly to be caught (leased but not fetched, report on the wire).
/// </summary>
internal sealed class FakeDevice : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly FogClient _client;
    private readonly int _slots;

    private FakeDevice(string id, FogClient client, int slots)
    {
        Id = id;
        _client = client;
        _slots = slots;
    }

    public string Id { get; }

    /// <summary>Digest of a builtin kernel that ended well and left nothing.</summary>
    public static string HonestDigest { get; } = OutputManifest.Digest(0, null, []);

    /// <summary>Another digest for the same work.</summary>
    public static string WrongDigest { get; } = OutputManifest.Digest(0, null, [new OutputFile("forged", new string('0', 64), 1)]);

    /// <param name="benchmark">Claimed speed; placement prefers the fastest.</param>
    public static async Task<FakeDevice> EnrolAsync(Uri server, string id, string token, string label, int slots = 8, double benchmark = 1e12)
    {
        using var enrolment = new FogClient(server, token);
        var registration = new DeviceRegistration
        {
            DeviceId = id, DeviceType = "edge", CpuCores = slots, MemoryMb = 1024L * slots, Slots = slots, DiskMb = 1 << 20, Labels = [label], BenchmarkScore = benchmark,
            Isolation = [IsolationLevels.Sandbox], PayloadKinds = [PayloadKinds.Builtin],
        };
        var device = new FakeDevice(id, new FogClient(server, null), slots);
        try
        {
            var answer = await enrolment.PostAsync<Registered>("api/idle-compute/devices",
                registration with { PublicKey = Convert.ToBase64String(device._key.ExportSubjectPublicKeyInfo()) });
            device._client.Token = answer.DeviceToken;
            await device.PollAsync(wait: 0);
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>One poll that says it is well and holds these.</summary>
    public Task<LeasePollResponse> PollAsync(double wait, params LeaseMessage[] held) =>
        _client.PostAsync<LeasePollResponse>($"api/scheduler/nodes/{Id}/poll", new LeasePollRequest
        {
            WaitSeconds = wait, Held = [.. held.Select(l => new HeldLease(l.AttemptId, l.Epoch))], Condition = new DeviceCondition { State = "eligible", Slots = _slots },
        });

    /// <summary>Polls until it has this many leases.</summary>
    public async Task<IReadOnlyList<LeaseMessage>> TakeAsync(int count)
    {
        var leases = new List<LeaseMessage>();
        await Wait.UntilAsync($"{Id} has {count} lease(s)", async () =>
        {
            leases.AddRange((await PollAsync(1, [.. leases])).Leases);
            return leases.Count;
        }, have => have >= count);
        return leases;
    }

    /// <summary>A validly signed report of success with this digest.</summary>
    public AttemptReport Done(LeaseMessage lease, string digest, long wallMs = 1)
    {
        var now = TimeProvider.System.GetUtcNow();
        var report = new AttemptReport
        {
            AttemptId = lease.AttemptId, Epoch = lease.Epoch, Outcome = AttemptOutcomes.Succeeded, ExitCode = 0, OutputDigest = digest, WallMs = wallMs,
            StartedAt = now, FinishedAt = now,
        };
        return report with { Signature = Receipt.Sign(_key, Id, report) };
    }

    /// <summary>Sends one report; its acknowledgement: recorded, stale or unknown.</summary>
    public async Task<string> ReportAsync(AttemptReport report) =>
        (await _client.PostAsync<ReportResponse>($"api/scheduler/nodes/{Id}/reports", new ReportRequest { Items = [report] })).Items.Single().Status;

    public void Dispose()
    {
        _client.Dispose();
        _key.Dispose();
    }

    private sealed record Registered(string DeviceToken);
}
