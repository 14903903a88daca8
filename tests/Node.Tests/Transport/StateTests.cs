using System.Text;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Node.State;
using FogCompute.Node.Transport;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Transport;

[TestFixture]
public sealed class StateTests
{
    private string _root = null!;

    [SetUp]
    public void SetUp() => _root = Directory.CreateTempSubdirectory("fog-state").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_root, recursive: true);

    private string JournalPath => Path.Combine(_root, "journal.jsonl");
    private static readonly DateTimeOffset Noon = new(2026, 6, 3, 12, 0, 0, TimeSpan.Zero);

    private static PendingReport Result(LeaseMessage lease) => new(
        new AttemptReport { AttemptId = lease.AttemptId, Epoch = lease.Epoch, Outcome = AttemptOutcomes.Succeeded, Outputs = [new OutputFile("a", Make.Sha256("a"), 1)] },
        [new PendingFile("output", Make.Sha256("a"), Make.Sha256("a"), 1)], Noon);

    [Test]
    public async Task Removing_a_folder_twice_at_the_same_time_is_no_error()
    {
        for (var round = 0; round < 40; round++)
        {
            var folder = Path.Combine(_root, "twice");
            for (var i = 0; i < 8; i++)
                File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, $"{i}", "below")).FullName, "file"), "x");
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => WorkFolders.Remove(folder))));
            Assert.That(Directory.Exists(folder), Is.False);
        }
    }

    [Test]
    public void The_journal_gives_back_what_is_not_settled()
    {
        var (held, done, gone) = (Make.Sleep(1), Make.Sleep(2), Make.Sleep(3));
        using (var journal = Journal.Open(JournalPath, NodeLog.None, out _))
        {
            foreach (var lease in (LeaseMessage[])[held, done, gone])
                journal.Accepted(new StoredLease(lease, Noon));
            journal.Done(Result(done));
            journal.Forget(gone.AttemptId);
            journal.Extended(Noon.AddMinutes(10));
            journal.Flush(toDisk: false);
        }
        using var again = Journal.Open(JournalPath, NodeLog.None, out var contents);
        Assert.Multiple(() =>
        {
            Assert.That(contents.Leases.Select(l => (l.Lease.AttemptId, l.ExpiresAt)), Is.EqualTo(new[] { (held.AttemptId, Noon.AddMinutes(10)) }));
            Assert.That(contents.Leases[0].Lease.Payload.Parameters!["seconds"], Is.EqualTo(1));
            Assert.That(contents.Reports.Select(r => r.Report.AttemptId), Is.EqualTo(new[] { done.AttemptId }));
            Assert.That(contents.Reports[0].Files, Is.EqualTo(Result(done).Files));
        });
    }

    [Test]
    public void A_torn_last_line_loses_only_itself()
    {
        var first = Make.Sleep(1);
        using (var journal = Journal.Open(JournalPath, NodeLog.None, out _))
        {
            journal.Accepted(new StoredLease(first, Noon));
            journal.Accepted(new StoredLease(Make.Sleep(2), Noon));
        }
        var bytes = File.ReadAllBytes(JournalPath);
        File.WriteAllBytes(JournalPath, bytes[..^40]);
        using (var journal = Journal.Open(JournalPath, NodeLog.None, out var contents))
        {
            Assert.That(contents.Leases.Select(l => l.Lease.AttemptId), Is.EqualTo(new[] { first.AttemptId }));
            journal.Accepted(new StoredLease(Make.Sleep(3), Noon));
        }
        using var again = Journal.Open(JournalPath, NodeLog.None, out var after);
        Assert.That(after.Leases, Has.Count.EqualTo(2), "appending after a torn line works");
    }

    [Test]
    public void The_journal_does_not_grow_with_history()
    {
        var kept = Make.Sleep(1);
        using (var journal = Journal.Open(JournalPath, NodeLog.None, out _))
        {
            journal.Accepted(new StoredLease(kept, Noon));
            for (var i = 0; i < 30_000; i++)
            {
                var lease = Make.Noop();
                journal.Accepted(new StoredLease(lease, Noon));
                journal.Forget(lease.AttemptId);
                if (i % 32 == 0)
                    journal.Flush(toDisk: false);
            }
            Assert.That(journal.FileBytes, Is.LessThan(5 << 20));
        }
        using var again = Journal.Open(JournalPath, NodeLog.None, out var contents);
        Assert.That(contents.Leases.Select(l => l.Lease.AttemptId), Is.EqualTo(new[] { kept.AttemptId }));
    }

    [TestCase("../x")]
    [TestCase("/etc/passwd")]
    [TestCase("a/../../x")]
    [TestCase("a//b")]
    [TestCase("./a")]
    [TestCase("a\\..\\b")]
    [TestCase("C:/x")]
    [TestCase("")]
    public void Input_paths_cannot_leave_the_work_folder(string path) =>
        Assert.Throws<InputPathException>(() => ArtifactStore.Resolve("/work", path));

    [Test]
    public void Input_paths_inside_the_work_folder_are_accepted() =>
        Assert.That(ArtifactStore.Resolve("/work", "a/b..c/.d"), Is.EqualTo("/work/a/b..c/.d"));

    [Test]
    public async Task The_cache_is_bounded_and_a_changed_input_does_not_spoil_it()
    {
        await using var plane = await FakeControlPlane.StartAsync();
        using var folder = StateFolder.Open(_root);
        using var client = new ControlPlaneClient(plane.Address, "d", () => "device-key-1", TimeProvider.System);
        using var store = new ArtifactStore(client, folder, 25_000, TimeProvider.System, new Random(1), NodeLog.None);
        var shas = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            var content = Encoding.UTF8.GetBytes(new string((char)('a' + i), 10_000));
            shas.Add(Make.Sha256(content));
            plane.Artifacts[shas[i]] = content;
            var work = Path.Combine(_root, "w" + i);
            Directory.CreateDirectory(work);
            await store.StageAsync([new InputSpec { Path = "in/x", Sha256 = shas[i], Executable = true }], Guid.NewGuid(), work, CancellationToken.None);
            Assert.That(Make.Mode(Path.Combine(work, "in/x")) & UnixFileMode.UserExecute, Is.Not.EqualTo(UnixFileMode.None));
            // A payload that writes into its input changes its own copy only.
            await File.WriteAllTextAsync(Path.Combine(work, "in/x"), "spoilt");
            await Task.Delay(20);
        }
        Assert.That(shas.Select(s => File.Exists(Path.Combine(folder.Cache, s))), Is.EqualTo(new[] { false, false, true, true }), "the oldest went");
        using var again = await store.AcquireAsync(shas[3], Guid.NewGuid(), CancellationToken.None);
        Assert.That(await ArtifactStore.HashAsync(again.Path, CancellationToken.None), Is.EqualTo(shas[3]));
        Assert.That(plane.Requests.Count(r => r.StartsWith("GET", StringComparison.Ordinal)), Is.EqualTo(4));
    }

    [Test]
    public async Task Attempts_that_want_the_same_artifact_at_once_fetch_it_once()
    {
        await using var plane = await FakeControlPlane.StartAsync();
        using var folder = StateFolder.Open(_root);
        using var client = new ControlPlaneClient(plane.Address, "d", () => "device-key-1", TimeProvider.System);
        using var store = new ArtifactStore(client, folder, 1 << 20, TimeProvider.System, new Random(1), NodeLog.None);
        var content = new byte[100_000];
        plane.Artifacts[Make.Sha256(content)] = content;
        var pins = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => store.AcquireAsync(Make.Sha256(content), Guid.NewGuid(), CancellationToken.None)));
        Assert.That(pins.Select(p => new FileInfo(p.Path).Length), Is.All.EqualTo(100_000));
        Assert.That(plane.Requests.Count(r => r.StartsWith("GET", StringComparison.Ordinal)), Is.EqualTo(1));
        foreach (var pin in pins)
            pin.Dispose();
    }

    [Test]
    public void A_log_tail_holds_the_last_lines_of_both_streams_within_its_size()
    {
        File.WriteAllText(Path.Combine(_root, "stdout"), string.Concat(Enumerable.Range(0, 5_000).Select(i => $"line {i} äöü\n")));
        File.WriteAllText(Path.Combine(_root, "stderr"), "trouble\0\n");
        var tail = LogTail.Read(_root, 16 * 1024);
        Assert.Multiple(() =>
        {
            Assert.That(Encoding.UTF8.GetByteCount(tail), Is.InRange(15_000, 16 * 1024));
            Assert.That(tail, Does.StartWith("line ").And.Contain("line 4999 äöü\n").And.EndWith("trouble\uFFFD\n"));
        });
        File.WriteAllBytes(Path.Combine(_root, "stdout"), Enumerable.Repeat((byte)0xFF, 40_000).ToArray());
        Assert.That(Encoding.UTF8.GetByteCount(LogTail.Read(_root, 16 * 1024)), Is.LessThanOrEqualTo(16 * 1024));
    }

    [Test]
    public void Back_off_doubles_up_to_half_a_minute_and_obeys_the_server()
    {
        var backoff = new Backoff(TimeProvider.System, new Random(5));
        var waits = Enumerable.Range(0, 10).Select(_ => backoff.Next(null).TotalSeconds).ToList();
        for (var i = 0; i < waits.Count; i++)
            Assert.That(waits[i], Is.InRange(0.8 * Math.Min(30, 0.5 * Math.Pow(2, i)), 1.2 * Math.Min(30, 0.5 * Math.Pow(2, i))));
        backoff.Reset();
        Assert.That(backoff.Next(TimeSpan.FromSeconds(20)), Is.EqualTo(TimeSpan.FromSeconds(20)));
    }

    [Test]
    public void A_folder_of_another_device_is_refused()
    {
        using var folder = StateFolder.Open(_root);
        using (DeviceIdentity.Load(folder, "one", new Uri("http://127.0.0.1:1/")))
            Assert.That(Assert.Throws<AgentException>(() => DeviceIdentity.Load(folder, "two", new Uri("http://127.0.0.1:1/")))!.ExitCode, Is.EqualTo(ExitCodes.Usage));
    }
}
