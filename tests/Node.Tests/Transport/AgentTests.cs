using System.Security.Cryptography;
using FogCompute.Node.Control;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Transport;

[TestFixture]
public sealed class AgentTests
{
    private string _root = null!;
    private FakeControlPlane _plane = null!;

    [SetUp]
    public async Task SetUp()
    {
        _root = Directory.CreateTempSubdirectory("fog-node-test").FullName;
        _plane = await FakeControlPlane.StartAsync();
    }

    [TearDown]
    public async Task TearDown()
    {
        await _plane.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    private string Folder(string name = "state") => Path.Combine(_root, name);

    [Test]
    public async Task Enrols_with_what_it_measured_and_runs_a_lease()
    {
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Token = "enrol-me", Labels = ["lab"] });
        var lease = Make.Noop();
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");

        var registration = _plane.Registrations.Single();
        var report = _plane.ReportOf(lease.AttemptId)!;
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(Convert.FromBase64String(registration.PublicKey!), out _);
        Assert.Multiple(() =>
        {
            Assert.That(registration.CpuCores, Is.EqualTo(8));
            Assert.That(registration.BenchmarkScore, Is.GreaterThan(1e6));
            Assert.That(registration.PayloadKinds, Is.EqualTo(new[] { "builtin", "command" }));
            Assert.That(registration.Labels, Is.EqualTo(new[] { "lab" }));
            Assert.That(report.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
            Assert.That(report.Epoch, Is.EqualTo(lease.Epoch));
            Assert.That(report.OutputDigest, Is.EqualTo(OutputManifest.Digest(0, null, [])));
            Assert.That(Receipt.Verify(key, "device-1", report), Is.True, "signature");
            Assert.That(Make.Mode(Path.Combine(Folder(), "device.key")), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.That(Make.Mode(Path.Combine(Folder(), "device.token")), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        });
    }

    [Test]
    public async Task Registers_again_only_when_its_capabilities_changed()
    {
        await using (var first = RunningAgent.Start(_plane, Folder()))
            await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        await using (var same = RunningAgent.Start(_plane, Folder()))
        {
            var polls = _plane.Polls.Count;
            await Make.UntilAsync(() => _plane.Polls.Count > polls, "a poll of the second start");
        }
        Assert.That(_plane.Registrations, Has.Count.EqualTo(1));
        await using (var larger = RunningAgent.Start(_plane, Folder(), o => o with { Slots = 16 }))
            await Make.UntilAsync(() => _plane.Registrations.Count == 2, "the second registration");
        Assert.That(_plane.Registrations.Last().Slots, Is.EqualTo(16));
        Assert.That(_plane.Registrations.Select(r => r.PublicKey).Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public async Task A_lost_poll_answer_is_delivered_again_and_run_once()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        _plane.LosePollAnswers = 1;
        var lease = Make.Sleep(0.2);
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        await Task.Delay(300);
        Assert.That(agent.Executor.Started, Is.EqualTo(new[] { lease.AttemptId }));
        Assert.That(_plane.Reports, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_lease_that_is_delivered_twice_is_run_once()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Noop();
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        // Only after the acknowledgement has arrived the agent has forgotten the attempt and could take it for a new one.
        await Make.UntilAsync(() => File.ReadAllText(Path.Combine(Folder(), "journal.jsonl")).Contains("\"f\":"), "the agent forgot the attempt");
        // The other lease ends the outstanding poll, which still names the first one.
        var other = Make.Noop();
        _plane.Lease(lease, other);
        var polls = _plane.Polls.Count;
        await Make.UntilAsync(() => _plane.Polls.Count > polls + 3, "the lease was delivered again and again");
        Assert.That(agent.Executor.Started, Is.EqualTo(new[] { lease.AttemptId, other.AttemptId }));
    }

    [Test]
    public async Task Honours_retry_after()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        _plane.RetryAfterSeconds = 3;
        _plane.Turn(Weather.Busy);
        // Signals wake the outstanding poll with a lease, its successor meets the 503.
        var lease = Make.Noop();
        _plane.Lease(lease);
        await Make.UntilAsync(() => !_plane.BusyAnswers.IsEmpty, "a busy answer");
        await Task.Delay(2_000);
        var busy = _plane.BusyAnswers.GroupBy(b => b.Path, b => b.At).ToList();
        foreach (var loop in busy)
        {
            var tries = loop.Order().ToList();
            for (var i = 1; i < tries.Count; i++)
                Assert.That(TimeProvider.System.GetElapsedTime(tries[i - 1], tries[i]), Is.GreaterThan(TimeSpan.FromSeconds(2.9)), $"{loop.Key} was tried again within Retry-After");
        }
        Assert.That(busy, Has.Count.InRange(1, 3), "one path for each loop");
        _plane.Turn(Weather.Fine);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report after the storm");
    }

    [Test]
    public async Task A_run_goes_on_through_an_outage_and_is_reported_after_it()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("write", "1000");
        var slow = Make.Sleep(1);
        _plane.Lease(slow);
        await Make.UntilAsync(() => agent.Executor.Started.Contains(slow.AttemptId), "the start");
        _plane.Turn(Weather.Down);
        await Task.Delay(1_800);
        Assert.That(_plane.Reports, Is.Empty);
        _plane.Lease(lease);
        _plane.Turn(Weather.Fine);
        await Make.UntilAsync(() => _plane.Reports.Count == 2, "both reports");
        Assert.That(_plane.Reports.Select(r => r.Outcome), Is.All.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(agent.Log, Does.Contain("keeps trying").And.Contain("answers again"));
    }

    [Test]
    public async Task Fetches_inputs_with_resume_and_uploads_outputs_with_resume_before_the_report()
    {
        var content = new byte[400_000];
        new Random(3).NextBytes(content);
        var sha = Make.Sha256(content);
        _plane.Artifacts[sha] = content;
        _plane.CutDownloadAfter = 100_000;
        await using var agent = RunningAgent.Start(_plane, Folder());
        var copy = Make.Command("cat", "in/data.bin") with { Inputs = [new InputSpec { Path = "in/data.bin", Sha256 = sha }] };
        var write = Make.Command("write", "300000");
        _plane.CutUploadAfter = 120_000;
        _plane.Lease(copy, write);
        await Make.UntilAsync(() => _plane.Reports.Count == 2, "both reports");
        Assert.Multiple(() =>
        {
            Assert.That(_plane.Reports.Select(r => r.Outcome), Is.All.EqualTo(AttemptOutcomes.Succeeded), string.Join('|', _plane.Reports.Select(r => r.Message)));
            Assert.That(_plane.ReportOf(copy.AttemptId)!.Outputs.Single(), Is.EqualTo(new OutputFile("out.bin", sha, content.Length)));
            foreach (var report in _plane.Reports)
                foreach (var output in report.Outputs)
                    Assert.That(_plane.Artifacts, Does.ContainKey(output.Sha256));
            var written = _plane.ReportOf(write.AttemptId)!;
            Assert.That(written.OutputDigest, Is.EqualTo(OutputManifest.Digest(0, null, written.Outputs)));
            // Two tries of one transfer each; the copied input is on the server already and is not sent again.
            Assert.That(_plane.Requests.Count(r => r.StartsWith("GET /api/artifacts", StringComparison.Ordinal)), Is.EqualTo(2));
            Assert.That(_plane.Requests.Count(r => r.StartsWith("PUT", StringComparison.Ordinal)), Is.EqualTo(2));
            Assert.That(_plane.CutUploadAfter, Is.Null);
            Assert.That(_plane.CutDownloadAfter, Is.Null);
        });
        await Make.UntilAsync(() => !Directory.EnumerateDirectories(Path.Combine(Folder(), "outbox")).Any(), "the outbox is empty");
        Assert.That(Directory.EnumerateDirectories(Path.Combine(Folder(), "work")), Is.Empty);
        Assert.That(File.Exists(Path.Combine(Folder(), "cache", sha)), Is.True, "the input is cached");
    }

    [Test]
    public async Task A_missing_input_is_the_requesters_failure()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("cat", "x") with { Inputs = [new InputSpec { Path = "x", Sha256 = Make.Sha256("nowhere") }] };
        var escape = Make.Command("cat", "x") with { Inputs = [new InputSpec { Path = "../x", Sha256 = Make.Sha256("nowhere") }] };
        _plane.Lease(lease, escape);
        await Make.UntilAsync(() => _plane.Reports.Count == 2, "the reports");
        Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Failed, "input_missing")));
        Assert.That((_plane.ReportOf(escape.AttemptId)!.Outcome, _plane.ReportOf(escape.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Failed, "input_path")));
        Assert.That(agent.Executor.Started, Is.Empty);
    }

    [Test]
    public async Task A_failed_run_is_reported_with_its_log()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("fail");
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.Reports.Count == 1, "the report");
        var report = _plane.ReportOf(lease.AttemptId)!;
        Assert.Multiple(() =>
        {
            Assert.That((report.Outcome, report.Reason, report.ExitCode), Is.EqualTo((AttemptOutcomes.Failed, "exit_code", 3)));
            Assert.That(report.LogTail, Is.EqualTo("it went wrong\n"));
            Assert.That(report.StderrSha256, Is.EqualTo(Make.Sha256("it went wrong\n")));
            Assert.That(_plane.Artifacts, Does.ContainKey(report.StderrSha256!));
            Assert.That(report.OutputDigest, Is.Null);
        });
    }

    [Test]
    public async Task Sends_the_log_while_the_attempt_runs()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("log", "halfway there\n", "60");
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.Progress.Any(p => p.LogTail == "halfway there\n"), "the live log");
        var running = _plane.Progress.First(p => p.AttemptId == lease.AttemptId && p.State == "running");
        Assert.That(running.StartedAt, Is.Not.Null);
        Assert.That(_plane.Progress.First(p => p.LogTail is not null).LogBytes, Is.EqualTo(14));
        Assert.That(_plane.Progress.Count(p => p.LogTail is not null), Is.EqualTo(1), "an unchanged log is not sent again");
    }

    [Test]
    public async Task After_a_kill_without_network_leases_run_again_and_results_are_sent()
    {
        var second = Folder("after-kill");
        var finished = Make.Command("write", "5000");
        var running = Make.Sleep(5);
        await using (var agent = RunningAgent.Start(_plane, Folder()))
        {
            _plane.Lease(running);
            await Make.UntilAsync(() => agent.Executor.Started.Contains(running.AttemptId), "the start");
            // The result is finished while nobody can take it.
            _plane.Lease(finished);
            await Make.UntilAsync(() => agent.Executor.Started.Contains(finished.AttemptId) || !_plane.Artifacts.IsEmpty, "the second start");
            _plane.Turn(Weather.Down);
            await DoneAsync(finished);
            Make.CopyFolder(Folder(), second);
        }
        var before = _plane.Reports.Count;
        Assert.That(_plane.Reports.Any(r => r.AttemptId == running.AttemptId), Is.False, "the killed process said nothing");

        await using var again = RunningAgent.Start(_plane, second);
        await Make.UntilAsync(() => again.Executor.Started.Contains(running.AttemptId), "the lease runs again without network");
        Assert.That(_plane.Reports, Has.Count.EqualTo(before));
        await Task.Delay(500);
        _plane.Turn(Weather.Fine);
        await Make.UntilAsync(() => _plane.ReportOf(running.AttemptId) is not null && _plane.ReportOf(finished.AttemptId) is not null, "both reports");
        Assert.Multiple(() =>
        {
            Assert.That(_plane.ReportOf(running.AttemptId)!.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
            Assert.That(_plane.ReportOf(finished.AttemptId)!.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
            Assert.That(_plane.Artifacts, Does.ContainKey(_plane.ReportOf(finished.AttemptId)!.Outputs.Single().Sha256));
        });
    }

    [Test]
    public async Task A_finished_result_is_uploaded_after_a_kill()
    {
        var second = Folder("after-kill");
        var lease = Make.Command("write", "5000");
        await using (var agent = RunningAgent.Start(_plane, Folder()))
        {
            await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
            _plane.Lease(lease);
            await Make.UntilAsync(() => agent.Executor.Started.Contains(lease.AttemptId), "the start");
            _plane.Turn(Weather.Down);
            await DoneAsync(lease);
            Make.CopyFolder(Folder(), second);
        }
        await using var again = RunningAgent.Start(_plane, second);
        _plane.Turn(Weather.Fine);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        var report = _plane.ReportOf(lease.AttemptId)!;
        Assert.That(report.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_plane.Artifacts, Does.ContainKey(report.Outputs.Single().Sha256));
        Assert.That(again.Executor.Started, Is.Empty, "it was not run again");
    }

    /// <summary>Its result is in the journal.</summary>
    private Task DoneAsync(LeaseMessage lease) => Make.UntilAsync(
        () =>
        {
            using var reader = new StreamReader(new FileStream(Path.Combine(Folder(), "journal.jsonl"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            return reader.ReadToEnd().Split('\n').Any(line => line.StartsWith("{\"d\":", StringComparison.Ordinal) && line.Contains($"{lease.AttemptId}", StringComparison.Ordinal));
        },
        "the result is written down");

    [Test]
    public async Task A_lost_acknowledgement_repeats_the_report_and_a_stale_one_deletes_the_result()
    {
        _plane.LoseReportAnswers = true;
        _plane.AckStatus = "stale";
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("write", "2000");
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.Reports.Count(r => r.AttemptId == lease.AttemptId) == 2, "the repeated report");
        await Make.UntilAsync(() => !Directory.EnumerateDirectories(Path.Combine(Folder(), "outbox")).Any(), "the result is deleted");
        Assert.That(_plane.Reports.Select(r => r.Signature).Distinct().Count(), Is.EqualTo(1));
        await agent.StopAsync();
        await using var next = RunningAgent.Start(_plane, Folder());
        var polls = _plane.Polls.Count;
        await Make.UntilAsync(() => _plane.Polls.Count > polls, "a poll of the next start");
        Assert.That(_plane.Polls.Last().Held, Is.Empty);
    }

    [Test]
    public async Task A_revoked_attempt_stops_within_a_second()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        // The best of some: the machine may do other things, too.
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 5 && best > TimeSpan.FromSeconds(1); i++)
        {
            var lease = Make.Sleep(60);
            _plane.Lease(lease);
            await Make.UntilAsync(() => agent.Executor.Started.Contains(lease.AttemptId), "the start");
            var revoked = TimeProvider.System.GetTimestamp();
            _plane.Revoke(lease.AttemptId, "cancelled");
            await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the stop");
            Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Cancelled, "cancelled")));
            best = TimeSpan.FromTicks(Math.Min(best.Ticks, TimeProvider.System.GetElapsedTime(revoked).Ticks));
        }
        Assert.That(best, Is.LessThan(TimeSpan.FromSeconds(1)));
    }

    [Test]
    public async Task A_lease_that_lapses_without_contact_is_stopped()
    {
        _plane.LeaseSeconds = 1.5;
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Sleep(60) with { ExpiresInSeconds = 1.5 };
        _plane.Lease(lease);
        await Make.UntilAsync(() => agent.Executor.Started.Contains(lease.AttemptId), "the start");
        _plane.Turn(Weather.Down);
        await Make.UntilAsync(() => agent.Log.Contains("A lease lapsed", StringComparison.Ordinal), "the lapse");
        _plane.Turn(Weather.Fine);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Evicted, "lease_expired")));
    }

    [Test]
    public async Task Reports_form_batches_of_at_most_256()
    {
        // The first report is answered when all have run, so that what is to be told has piled up.
        var answered = new TaskCompletionSource();
        _plane.BeforeReports = answered.Task;
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Slots = 1024, Cpu = 1024 });
        _plane.Lease([.. Enumerable.Range(0, 700).Select(_ => Make.Noop())]);
        await Make.UntilAsync(() => agent.Executor.Ended == 700, "all runs");
        await Task.Delay(500);
        answered.SetResult();
        await Make.UntilAsync(() => _plane.Reports.Count == 700, "all reports");
        Assert.That(_plane.ReportBatches.Max(), Is.EqualTo(256));
        Assert.That(_plane.ReportBatches, Has.Count.LessThanOrEqualTo(8));
        Assert.That(_plane.Reports.Select(r => r.AttemptId).Distinct().Count(), Is.EqualTo(700));
    }

    [Test]
    public async Task One_bad_report_does_not_hold_up_the_others()
    {
        _plane.ReportDelay = TimeSpan.FromMilliseconds(100);
        var leases = Enumerable.Range(0, 20).Select(_ => Make.Noop()).ToArray();
        _plane.PoisonedAttempt = leases[7].AttemptId;
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Slots = 64, Cpu = 64 });
        _plane.Lease(leases);
        await Make.UntilAsync(() => _plane.Reports.Select(r => r.AttemptId).Distinct().Count() == 19, "the other reports");
        await Make.UntilAsync(() => agent.Log.Contains("given up", StringComparison.Ordinal), "the bad one is given up");
    }

    [Test]
    public async Task Runs_no_more_at_once_than_its_cores_allow()
    {
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Slots = 6, Cpu = 2 });
        _plane.Lease([.. Enumerable.Range(0, 6).Select(_ => Make.Sleep(0.5))]);
        await Make.UntilAsync(() => _plane.Reports.Count == 6, "all reports");
        Assert.That(agent.Executor.MostAtOnce, Is.EqualTo(2));
    }

    [Test]
    public async Task Declines_what_it_does_not_offer()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var container = Make.Lease(new PayloadSpec { Kind = PayloadKinds.Container, Image = "x" });
        var networked = Make.Noop() with { Network = "full" };
        var large = Make.Noop() with { CpuMillicores = 9_000 };
        _plane.Lease(container, networked, large);
        await Make.UntilAsync(() => _plane.Reports.Count == 3, "all reports");
        Assert.That(_plane.Reports.Select(r => r.Outcome), Is.All.EqualTo(AttemptOutcomes.Declined));
        Assert.That(new[] { container, networked, large }.Select(l => _plane.ReportOf(l.AttemptId)!.Reason), Is.EqualTo(new[] { "runtime_missing", "network_not_offered", "insufficient_capacity" }));
    }

    [Test]
    public async Task Unplugging_evicts_running_work_within_ten_seconds()
    {
        var sensors = Path.Combine(_root, "sensors.json");
        await File.WriteAllTextAsync(sensors, """{"charging": true, "battery_percent": 80}""");
        var policy = Path.Combine(_root, "policy.json");
        await File.WriteAllTextAsync(policy, """{"max_other_cpu": 1.0, "max_cpu": 1.0, "hold_seconds": 1}""");
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Policy = policy, SensorsFile = sensors });
        var lease = Make.Sleep(60);
        _plane.Lease(lease);
        await Make.UntilAsync(() => agent.Executor.Started.Contains(lease.AttemptId), "the start");
        await File.WriteAllTextAsync(sensors, """{"charging": false, "battery_percent": 80}""");
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the eviction");
        Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Evicted, "on_battery")));
        await Make.UntilAsync(() => _plane.Polls.Last().Condition is { State: "ineligible" or "suspending", Reason: "on_battery" }, "the control plane hears why");
        var status = await ControlSocket.AskAsync(Folder(), "status", CancellationToken.None);
        Assert.That(status!.Reasons.Select(r => r.Code), Is.EqualTo(new[] { "on_battery" }));

        await File.WriteAllTextAsync(sensors, """{"charging": true, "battery_percent": 80}""");
        var next = Make.Noop();
        _plane.Lease(next);
        await Make.UntilAsync(() => _plane.ReportOf(next.AttemptId) is not null, "work after the plug is back");
    }

    [Test]
    public async Task Pause_persists_until_resume()
    {
        await using (var agent = RunningAgent.Start(_plane, Folder()))
        {
            await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
            var paused = await ControlSocket.AskAsync(Folder(), "pause", CancellationToken.None);
            Assert.That((paused!.State, paused.Reason, paused.Paused), Is.EqualTo(("disabled", "paused_by_owner", true)));
            await Make.UntilAsync(() => _plane.Polls.Last().Condition.State == "disabled", "the control plane hears of the pause");
        }
        await using var again = RunningAgent.Start(_plane, Folder());
        var polls = _plane.Polls.Count;
        await Make.UntilAsync(() => _plane.Polls.Count > polls, "a poll after the restart");
        Assert.That(_plane.Polls.Last().Condition.Reason, Is.EqualTo("paused_by_owner"));
        var resumed = await ControlSocket.AskAsync(Folder(), "resume", CancellationToken.None);
        Assert.That(resumed!.State, Is.EqualTo("eligible"));
        var lease = Make.Noop();
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "work after resume");
    }

    [Test]
    public async Task A_stop_hands_leases_back_and_exits_with_0()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Sleep(60);
        var nearlyDone = Make.Sleep(0.5);
        _plane.Lease(lease, nearlyDone);
        await Make.UntilAsync(() => agent.Executor.Started.Count == 2, "the start");
        var start = TimeProvider.System.GetTimestamp();
        Assert.That(await agent.StopAsync(), Is.EqualTo(ExitCodes.Ok));
        Assert.Multiple(() =>
        {
            Assert.That(TimeProvider.System.GetElapsedTime(start).TotalSeconds, Is.LessThan(30));
            Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.Evicted, "agent_stopping")));
            Assert.That(_plane.ReportOf(nearlyDone.AttemptId)!.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
            Assert.That((_plane.Polls.Last().Condition.State, _plane.Polls.Last().Condition.Reason), Is.EqualTo(("disabled", "agent_stopping")));
        });
        Assert.That(await ControlSocket.AskAsync(Folder(), "status", CancellationToken.None), Is.Null);
    }

    [Test]
    public async Task A_revoked_device_key_stops_the_agent_with_advice()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Sleep(60);
        _plane.Lease(lease);
        await Make.UntilAsync(() => agent.Executor.Started.Contains(lease.AttemptId), "the start");
        _plane.Turn(Weather.Revoked);
        var error = Assert.ThrowsAsync<AgentException>(() => agent.Ended.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.That(error!.ExitCode, Is.EqualTo(ExitCodes.Auth));
        Assert.That(error.Message, Does.Contain("enrolment token"));
    }

    [Test]
    public async Task A_second_agent_on_the_same_folder_is_refused()
    {
        await using var agent = RunningAgent.Start(_plane, Folder());
        await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        await using var second = RunningAgent.Start(_plane, Folder());
        var error = Assert.ThrowsAsync<AgentException>(() => second.Ended.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.That(error!.Message, Does.Contain("Another fog-node already runs"));
    }

    [Test]
    public async Task A_stage_in_that_takes_too_long_is_the_devices_fault()
    {
        _plane.ArtifactsDown = true;
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("cat", "x") with { Inputs = [new InputSpec { Path = "x", Sha256 = Make.Sha256("x") }] };
        lease = lease with { Limits = lease.Limits with { StageInSeconds = 1 } };
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        Assert.That((_plane.ReportOf(lease.AttemptId)!.Outcome, _plane.ReportOf(lease.AttemptId)!.Reason), Is.EqualTo((AttemptOutcomes.DeviceError, "stage_in_timeout")));
    }

    [Test]
    public async Task A_stage_out_that_takes_too_long_is_the_devices_fault()
    {
        _plane.ArtifactsDown = true;
        await using var agent = RunningAgent.Start(_plane, Folder());
        var lease = Make.Command("write", "100");
        lease = lease with { Limits = lease.Limits with { StageOutSeconds = 1 } };
        _plane.Lease(lease);
        await Make.UntilAsync(() => _plane.ReportOf(lease.AttemptId) is not null, "the report");
        var report = _plane.ReportOf(lease.AttemptId)!;
        Assert.That((report.Outcome, report.Reason, report.OutputDigest), Is.EqualTo((AttemptOutcomes.DeviceError, "stage_out_timeout", (string?)null)));
    }

    [Test]
    public async Task A_used_up_token_stops_a_new_device_but_not_a_known_one()
    {
        await using (var stranger = RunningAgent.Start(_plane, Folder("new"), o => o with { Token = "used-up" }))
        {
            var error = Assert.ThrowsAsync<AgentException>(() => stranger.Ended.WaitAsync(TimeSpan.FromSeconds(60)));
            Assert.That(error!.ExitCode, Is.EqualTo(ExitCodes.Auth));
        }
        await using (var first = RunningAgent.Start(_plane, Folder(), o => o with { Token = "good" }))
            await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        await using var known = RunningAgent.Start(_plane, Folder(), o => o with { Token = "used-up", Slots = 3 });
        await Make.UntilAsync(() => _plane.Registrations.Any(r => r.Slots == 3), "the registration by device key");
    }

    [Test]
    public async Task A_stop_while_the_machine_is_still_tried_out_is_a_clean_end()
    {
        var probing = new TaskCompletionSource();
        await using var agent = RunningAgent.Start(_plane, Folder(), real: async (_, _, _, stop) =>
        {
            probing.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            throw new InvalidOperationException("The probe went on after the stop.");
        });
        await probing.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.That(await agent.StopAsync(), Is.EqualTo(ExitCodes.Ok));
        Assert.That(agent.Log, Does.Contain("stopped").And.Not.Contain("Exception"));
        Assert.That(_plane.Registrations, Is.Empty);
    }

    [TestCase(32)]
    [TestCase(256)]
    public async Task Tiny_tasks_flow_by_the_thousand_per_second(int slots)
    {
        await using var agent = RunningAgent.Start(_plane, Folder(), o => o with { Slots = slots, Cpu = slots });
        await Make.UntilAsync(() => !_plane.Polls.IsEmpty, "the first poll");
        var start = TimeProvider.System.GetTimestamp();
        _plane.Lease([.. Enumerable.Range(0, 5_000).Select(_ => Make.Noop())]);
        await Make.UntilAsync(() => _plane.Reports.Count == 5_000, "all reports", 120);
        var rate = 5_000 / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        await TestContext.Out.WriteLineAsync($"{rate:0} noop tasks/s through one agent and the fake control plane");
        // A floor far below what it does (the machine that runs the tests may be busy); it catches a wait per task.
        Assert.That(rate, Is.GreaterThan(100));
        Assert.That(new FileInfo(Path.Combine(Folder(), "journal.jsonl")).Length, Is.LessThan(9 << 20));
    }
}
