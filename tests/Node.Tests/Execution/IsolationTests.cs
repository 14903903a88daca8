using System.Diagnostics;
using FogCompute.Node.Execution;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Execution;

public sealed class IsolationTests
{
    private const string Missing = "/nonexistent/program";

    [Test]
    public async Task A_device_without_bubblewrap_offers_no_sandbox_and_declines_it()
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { BubblewrapPath = Missing, WasmtimePath = Missing });
        Assert.That(bench.Executor.Isolation, Is.Empty);
        Assert.That(bench.Executor.PayloadKinds, Is.EqualTo((string[])[PayloadKinds.Builtin]));
        Assert.That(string.Join(' ', bench.Executor.Findings), Does.Contain("bubblewrap").And.Contain("wasm"));
        foreach (var level in (string[])[IsolationLevels.Process, IsolationLevels.Sandbox, IsolationLevels.Container, IsolationLevels.Wasm, "none"])
        {
            var result = await bench.Run(["true"], l => l with { Isolation = level });
            Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.IsolationUnavailable)), level);
        }
        var wasm = await bench.Run(ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Wasm }));
        Assert.That((wasm.Outcome, wasm.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.RuntimeMissing)));
    }

    [Test]
    public async Task A_bubblewrap_that_does_not_work_is_not_offered()
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { BubblewrapPath = "/bin/false" });
        Assert.That(bench.Executor.Isolation, Does.Not.Contain(IsolationLevels.Sandbox));
        Assert.That(string.Join(' ', bench.Executor.Findings), Does.Contain("trial run"));
    }

    [Test]
    public async Task A_command_never_claims_more_than_a_sandbox()
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { WarmRunners = 0 });
        foreach (var level in (string[])[IsolationLevels.Container, IsolationLevels.Wasm])
            Assert.That((await bench.Run(["true"], l => l with { Isolation = level })).Reason, Is.EqualTo(ExecutionReasons.IsolationUnavailable));
        // Asked for less, it still gets the sandbox.
        await bench.Sh("ls /root /home 2>/dev/null; echo end", l => l with { Isolation = IsolationLevels.Process });
        Assert.That(bench.Stdout, Is.EqualTo("end\n"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Process_isolation_needs_the_owner_and_the_job_and_keeps_the_limits(bool controlGroups)
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { BubblewrapPath = Missing, WasmtimePath = Missing, AllowProcessIsolation = true, UseControlGroups = controlGroups });
        Assert.That(bench.Executor.Isolation, Is.EqualTo((string[])[IsolationLevels.Process]));
        Assert.That((await bench.Run(["true"])).Reason, Is.EqualTo(ExecutionReasons.IsolationUnavailable), "the job asks for a sandbox");

        LeaseMessage Process(LeaseMessage lease) => lease with { Isolation = IsolationLevels.Process };
        var done = await bench.Sh("echo hi > out; pwd; env | grep -c SECRET", l => Process(l).Collecting("out") with { Payload = l.Payload });
        Assert.That(done.Reason, Is.EqualTo(ExecutionReasons.ExitCode), "grep finds nothing of the agent's environment");
        Assert.That(bench.Stdout, Is.EqualTo($"{bench.LastWork}\n0\n"));

        using var notice = new CancellationTokenSource();
        var told = bench.Run(
            Process(ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["sh", "-c", "trap 'exit 85' TERM; touch ready; while :; do sleep 0.05; done"] })) with
            {
                Checkpoint = new LeaseCheckpoint("kept", null, true),
            }, notice: notice.Token);
        var ready = Path.Combine(bench.LastWork, "ready");
        await Transport.Make.UntilAsync(() => File.Exists(ready) || told.IsCompleted, "it runs");
        await notice.CancelAsync();
        var asked = await told;
        Assert.That((asked.Outcome, asked.ExitCode), Is.EqualTo((AttemptOutcomes.Preempted, (int?)85)), "asked to end");

        var name = "302." + Environment.ProcessId;
        var slow = await bench.Sh($"setsid sleep {name} & setsid sh -c 'sleep {name} & sleep {name}' & sleep {name}", l => Process(l).With(x => x with { WallSeconds = 1 }));
        Assert.That((slow.Outcome, slow.Reason), Is.EqualTo((AttemptOutcomes.TimedOut, ExecutionReasons.WallLimit)));
        Assert.That(ExecutionBench.ProcessesNaming(name), Is.Empty, "strays are found and ended");

        var hog = await bench.Run(["tail", "/dev/zero"], l => Process(l).With(x => x with { MemoryBytes = 64 << 20 }));
        Assert.That(hog.Reason, Is.EqualTo(ExecutionReasons.MemoryLimit));
        var flood = await bench.Run(["dd", "if=/dev/zero", "of=giant", "bs=1M"], Process);
        Assert.That(flood.Reason, Is.EqualTo(ExecutionReasons.DiskLimit));
        var missing = await bench.Run(["no-such-program"], Process);
        Assert.That(missing.Reason, Is.EqualTo(ExecutionReasons.ProgramNotFound));
    }

    [Test]
    public async Task A_sandbox_that_cannot_be_set_up_is_the_devices_fault()
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { WarmRunners = 0 });
        // The helper file bwrap is told to read is gone, as after somebody cleaned up the state folder.
        File.Delete(Path.Combine(bench.Root, "state", "sandbox", "etc", "passwd"));
        Directory.Delete(Path.Combine(bench.Root, "state", "sandbox", "etc"), recursive: true);
        var result = await bench.Run(["true"]);
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.DeviceError, ExecutionReasons.SandboxFailed)), result.Message);
        Assert.That(result.Message, Does.Contain("bwrap"));
        Directory.Delete(Path.Combine(bench.Root, "state", "sandbox"), recursive: true);
        var worse = await bench.Run(["true"]);
        Assert.That((worse.Outcome, worse.Reason), Is.EqualTo((AttemptOutcomes.DeviceError, ExecutionReasons.SandboxFailed)), worse.Message);
    }

    [Test]
    public async Task Payloads_die_with_a_killed_agent_and_its_successor_cleans_up()
    {
        var state = Directory.CreateTempSubdirectory("fog-kill-").FullName;
        var name = "303." + Environment.ProcessId;
        using var agent = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "fog-node.dll")])
        {
            Environment =
            {
                ["DOTNET_STARTUP_HOOKS"] = typeof(IsolationTests).Assembly.Location,
                ["FOG_TEST_STATE"] = state,
                ["FOG_TEST_SLEEP"] = name,
            },
        })!;
        try
        {
            for (var i = 0; i < 3_000 && ExecutionBench.ProcessesNaming("sleep\0" + name).Count < 2; i++)
                await Task.Delay(20);
            Assert.That(ExecutionBench.ProcessesNaming("sleep\0" + name), Has.Count.GreaterThanOrEqualTo(2), "the payload runs");
            agent.Kill();
            await agent.WaitForExitAsync();
            for (var i = 0; i < 1_500 && ExecutionBench.ProcessesNaming(name).Count > 0; i++)
                await Task.Delay(20);
            Assert.That(ExecutionBench.ProcessesNaming(name), Is.Empty);
            await using (await AttemptExecutor.CreateAsync(new ExecutorOptions { StateFolder = state }, TimeProvider.System, CancellationToken.None))
                Assert.That(GroupsOf(agent.Id), Is.Empty, "control groups of the killed agent");
        }
        finally
        {
            if (!agent.HasExited)
                agent.Kill();
            Directory.Delete(state, recursive: true);
        }
    }

    private static IEnumerable<string> GroupsOf(int process) => !Directory.Exists("/sys/fs/cgroup") ? [] :
        Directory.EnumerateDirectories("/sys/fs/cgroup", $"fog-*-{process}-*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 6, IgnoreInaccessible = true });
}
