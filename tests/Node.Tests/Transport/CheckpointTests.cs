using FogCompute.Node.Control;
using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Transport;

/// <summary>Payloads that save their state: an agent with real sandboxes against a control plane of the test.</summary>
[TestFixture]
public sealed class CheckpointTests
{
    /// <summary>Counts the starts in its checkpoint, says so, and then does what follows.</summary>
    private const string Count = """n=$(cat "$FOG_CHECKPOINT_DIR/count" 2>/dev/null || echo 0); echo "start $n"; echo $((n + 1)) > "$FOG_CHECKPOINT_DIR/count"; """;
    private const string Forever = "while :; do sleep 0.05; done";

    private string _root = null!;
    private FakeControlPlane _plane = null!;
    private RunningAgent _agent = null!;

    [SetUp]
    public async Task SetUp()
    {
        _root = Directory.CreateTempSubdirectory("fog-checkpoints").FullName;
        _plane = await FakeControlPlane.StartAsync();
        _agent = Start();
    }

    [TearDown]
    public async Task TearDown()
    {
        await _agent.DisposeAsync();
        await _plane.DisposeAsync();
        WorkFolders.Remove(_root);
    }

    private RunningAgent Start() => RunningAgent.Start(_plane, Path.Combine(_root, "state"), with: null, executor: null, real: async (folder, _, clock, stop) =>
        await AttemptExecutor.CreateAsync(new ExecutorOptions { StateFolder = folder }, clock, stop));

    private static LeaseMessage Lease(string script, string? checkpoint = null, bool declared = true, bool kept = true) => Make.Lease(
        new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["sh", "-c", script] },
        l => l with
        {
            Isolation = IsolationLevels.Sandbox, MemoryBytes = 64 << 20, Limits = l.Limits with { MemoryBytes = 64 << 20 },
            Checkpoint = declared ? new LeaseCheckpoint("kept/state", checkpoint, kept) : null,
        });

    private async Task<AttemptReport> ReportAsync(LeaseMessage lease)
    {
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        return _plane.ReportOf(lease.AttemptId)!;
    }

    private async Task<AttemptReport> RunAsync(LeaseMessage lease)
    {
        _plane.Lease(lease);
        return await ReportAsync(lease);
    }

    private Task PrintedAsync(LeaseMessage lease, string text) =>
        Make.UntilAsync(() => _plane.Progress.Any(p => p.AttemptId == lease.AttemptId && p.LogTail?.Contains(text, StringComparison.Ordinal) == true), $"it printed '{text}'");

    private string StateIn(string sha256)
    {
        var (archive, target) = (Path.Combine(_root, "archive"), Path.Combine(_root, "restored"));
        File.WriteAllBytes(archive, _plane.Artifacts[sha256]);
        CheckpointArchive.RestoreAsync(archive, target, 1 << 20, CancellationToken.None).GetAwaiter().GetResult();
        return File.ReadAllText(Path.Combine(target, "count"));
    }

    [Test]
    public async Task Exit_code_85_is_a_failure_like_any_other_unless_a_checkpoint_is_declared()
    {
        var report = await RunAsync(Lease("echo \"[$FOG_CHECKPOINT_DIR]\"; exit 85", declared: false));
        Assert.That((report.Outcome, report.Reason, report.ExitCode, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Failed, "exit_code", (int?)85, (string?)null)));
        Assert.That(report.LogTail, Is.EqualTo("[]\n"));
    }

    [Test]
    public async Task Exit_code_85_delivers_the_folder_before_it_is_reported_and_the_next_run_goes_on_from_it()
    {
        var first = await RunAsync(Lease(Count + "exit 85"));
        Assert.That((first.Outcome, first.Reason, first.ExitCode, first.LogTail), Is.EqualTo((AttemptOutcomes.Preempted, "checkpointed", (int?)85, "start 0\n")));
        Assert.That(_plane.Artifacts.Keys, Does.Contain(first.CheckpointSha256), "the fake takes reports whether or not their files are there, so it was first");
        Assert.That(StateIn(first.CheckpointSha256!), Is.EqualTo("1\n"));

        var second = await RunAsync(Lease(Count + "exit 85", first.CheckpointSha256));
        Assert.That((second.LogTail, StateIn(second.CheckpointSha256!)), Is.EqualTo(("start 1\n", "2\n")));
        var third = await RunAsync(Lease(Count + "exit 0", second.CheckpointSha256));
        Assert.That((third.Outcome, third.LogTail, third.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Succeeded, "start 2\n", (string?)null)));
    }

    [Test]
    public async Task A_checkpoint_that_is_not_kept_is_not_delivered()
    {
        var report = await RunAsync(Lease(Count + "exit 85", kept: false));
        Assert.That((report.Outcome, report.Reason, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Preempted, "checkpointed", (string?)null)));
        Assert.That(_plane.Artifacts, Is.Empty);
    }

    [TestCase("ln -s /etc \"$FOG_CHECKPOINT_DIR/link\"; exit 85", "link")]
    [TestCase("cd /; rm -r \"$FOG_CHECKPOINT_DIR\"; exit 85", "gone")]
    public async Task A_folder_that_cannot_be_kept_is_the_payloads_failure(string script, string says)
    {
        var report = await RunAsync(Lease(script));
        Assert.That((report.Outcome, report.Reason, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Failed, "checkpoint_invalid", (string?)null)));
        Assert.That(report.Message, Does.Contain(says));
    }

    [Test]
    public async Task A_hostile_or_missing_checkpoint_is_refused_before_anything_runs()
    {
        using var tar = new MemoryStream();
        await using (var writer = new System.Formats.Tar.TarWriter(tar, System.Formats.Tar.TarEntryFormat.Gnu, leaveOpen: true))
            await writer.WriteEntryAsync(new System.Formats.Tar.GnuTarEntry(System.Formats.Tar.TarEntryType.SymbolicLink, "count") { LinkName = "/etc/passwd" });
        _plane.Artifacts[Make.Sha256(tar.ToArray())] = tar.ToArray();
        foreach (var sha in (string[])[Make.Sha256(tar.ToArray()), Make.Sha256("nobody has it")])
        {
            var report = await RunAsync(Lease(Count + "exit 0", sha));
            Assert.That((report.Outcome, report.Reason, report.StartedAt, report.LogTail), Is.EqualTo((AttemptOutcomes.Failed, "checkpoint_invalid", (DateTimeOffset?)null, (string?)null)));
        }
    }

    [Test]
    public async Task A_notice_asks_the_program_to_end_and_what_it_saves_within_the_grace_is_kept()
    {
        var lease = Lease(Count + "trap 'sleep 0.3; echo saved; exit 85' TERM; echo ready; " + Forever);
        _plane.Lease(lease);
        await PrintedAsync(lease, "ready");
        _plane.Notify(lease.AttemptId, 30);
        var report = await ReportAsync(lease);
        Assert.That((report.Outcome, report.Reason, report.LogTail), Is.EqualTo((AttemptOutcomes.Preempted, "preempted", "start 0\nready\nsaved\n")));
        Assert.That(StateIn(report.CheckpointSha256!), Is.EqualTo("1\n"));
        Assert.That(_plane.Polls.Count(p => p.Held.Any(h => h.AttemptId == lease.AttemptId && h.Noticed == true)), Is.InRange(1, 5), "it said that it knows, and did not poll in a hurry");
    }

    [Test]
    public async Task Who_does_not_end_within_the_grace_is_killed()
    {
        var lease = Lease("trap 'echo ignored' TERM; echo ready; " + Forever);
        _plane.Lease(lease);
        await PrintedAsync(lease, "ready");
        var since = TimeProvider.System.GetTimestamp();
        _plane.Notify(lease.AttemptId, 1);
        var report = await ReportAsync(lease);
        Assert.That((report.Outcome, report.Reason, report.ExitCode, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Preempted, "preempted", (int?)null, (string?)null)));
        Assert.That(report.LogTail, Does.Contain("ignored"));
        Assert.That(TimeProvider.System.GetElapsedTime(since), Is.GreaterThan(TimeSpan.FromSeconds(1)).And.LessThan(TimeSpan.FromSeconds(30)));
    }

    [Test]
    public async Task Dying_of_the_signal_is_no_failure_of_the_payload()
    {
        var lease = Lease("echo ready; " + Forever);
        _plane.Lease(lease);
        await PrintedAsync(lease, "ready");
        _plane.Notify(lease.AttemptId, 30);
        var report = await ReportAsync(lease);
        Assert.That((report.Outcome, report.Reason, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Preempted, "preempted", (string?)null)));
        Assert.That(report.Message, Does.Contain("without a checkpoint"));
    }

    [Test]
    public async Task A_job_without_checkpoint_is_stopped_at_once()
    {
        var lease = Lease("trap 'exit 85' TERM; echo ready; " + Forever, declared: false);
        _plane.Lease(lease);
        await PrintedAsync(lease, "ready");
        _plane.Notify(lease.AttemptId, 30);
        var report = await ReportAsync(lease);
        Assert.That((report.Outcome, report.Reason, report.ExitCode), Is.EqualTo((AttemptOutcomes.Preempted, "preempted", (int?)null)), "killed, not asked");
    }

    [Test]
    public async Task An_owner_who_pauses_the_machine_gets_it_and_the_work_is_kept()
    {
        var (saves, hangs) = (Lease(Count + "trap 'exit 85' TERM; echo ready; " + Forever), Lease("echo ready; sleep 1; echo finished", declared: false));
        _plane.Lease(saves, hangs);
        await PrintedAsync(saves, "ready");
        await PrintedAsync(hangs, "ready");
        await ControlSocket.AskAsync(Path.Combine(_root, "state"), "pause", CancellationToken.None);
        var (kept, finished) = (await ReportAsync(saves), await ReportAsync(hangs));
        Assert.That((kept.Outcome, kept.Reason), Is.EqualTo((AttemptOutcomes.Evicted, "paused_by_owner")));
        Assert.That(StateIn(kept.CheckpointSha256!), Is.EqualTo("1\n"));
        Assert.That(finished.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), "others may finish in the grace");
    }

    [Test]
    public async Task An_agent_that_is_stopped_hands_back_what_was_saved()
    {
        var lease = Lease(Count + "trap 'exit 85' TERM; echo ready; " + Forever);
        _plane.Lease(lease);
        await PrintedAsync(lease, "ready");
        await _agent.StopAsync();
        var report = _plane.ReportOf(lease.AttemptId)!;
        Assert.That((report.Outcome, report.Reason), Is.EqualTo((AttemptOutcomes.Evicted, "agent_stopping")));
        Assert.That(StateIn(report.CheckpointSha256!), Is.EqualTo("1\n"));
    }

    [Test]
    public async Task A_refused_upload_loses_the_state_but_never_the_report()
    {
        var lease = Lease(Count + "head -c 2000000 /dev/zero > big; exit 85") with { Limits = Lease("").Limits with { DiskBytes = 4 << 20 } };
        _plane.RefuseUploads = true;
        var report = await RunAsync(lease);
        Assert.That((report.Outcome, report.Reason, report.CheckpointSha256), Is.EqualTo((AttemptOutcomes.Failed, "checkpoint_invalid", (string?)null)));
    }
}
