using System.Diagnostics;
using FogCompute.Cli.Processes;
using FogCompute.Protocol;

namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class ProcessTests
{
    private static readonly Dictionary<string, string?> NoChanges = [];
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("fog-process-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task Stops_a_child_that_obeys_and_keeps_its_log()
    {
        using var child = Start("trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.05; done");
        await UntilAsync(() => child.LogTail(5).Contains("hello"));
        Assert.That(await child.StopAsync(TimeSpan.FromSeconds(60)), Is.True);
        Assert.That(child.ExitCode, Is.Zero);
        Assert.That(child.LogTail(5), Is.EqualTo(new[] { "hello", "bye" }));
    }

    [Test]
    public async Task Kills_a_child_that_does_not_obey_together_with_its_children()
    {
        using var child = Start("trap '' TERM; sleep 1000 & echo up; while :; do sleep 0.05; done");
        await UntilAsync(() => child.LogTail(5).Contains("up"));
        Assert.That(await child.StopAsync(TimeSpan.FromMilliseconds(300)), Is.False);
        await UntilAsync(() => Leftovers.Of(_folder).Count == 0);
    }

    [Test]
    public async Task Finds_processes_that_belong_to_a_folder_by_environment_and_by_working_directory()
    {
        var inside = new ProcessStartInfo("sleep", "1000") { WorkingDirectory = _folder, UseShellExecute = false };
        using var byDirectory = Process.Start(inside)!;
        var named = new ProcessStartInfo("sleep", "1000") { UseShellExecute = false };
        named.Environment["SOME_HOME"] = _folder;
        using var byEnvironment = Process.Start(named)!;
        try
        {
            await UntilAsync(() => Leftovers.Of(_folder).Select(f => f.ProcessId).ToHashSet().SetEquals([byDirectory.Id, byEnvironment.Id]));
        }
        finally
        {
            foreach (var left in Leftovers.Of(_folder))
                Leftovers.Kill(left);
        }
        await byDirectory.WaitForExitAsync();
        await byEnvironment.WaitForExitAsync();
        Assert.That(Leftovers.Of(_folder), Is.Empty);
    }

    [Test]
    public async Task Gives_the_child_nothing_to_read_and_our_process_id()
    {
        using var child = Start("if read -r line; then echo got; else echo eof; fi; echo $FOG_PARENT_PID");
        await child.WaitForExitAsync(TestContext.CurrentContext.CancellationToken);
        Assert.That(child.LogTail(5), Is.EqualTo(new[] { "eof", Environment.ProcessId.ToString() }));
    }

    [Test]
    public async Task A_watch_ends_when_the_watched_process_is_killed()
    {
        using var parent = Process.Start(new ProcessStartInfo("sleep", "1000") { UseShellExecute = false })!;
        var watch = new ParentWatch(parent.Id, TimeProvider.System);
        Assert.That(watch.IsAlive, Is.True);
        var over = watch.WaitForExitAsync(TestContext.CurrentContext.CancellationToken);
        parent.Kill();
        await parent.WaitForExitAsync();
        await over.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.That(watch.IsAlive, Is.False);
    }

    [Test]
    public void A_watch_of_a_process_that_never_was_says_gone() => Assert.That(new ParentWatch(int.MaxValue, TimeProvider.System).IsAlive, Is.False);

    [Test]
    public async Task A_process_that_is_gone_but_not_yet_reaped_counts_as_gone()
    {
        // The shell becomes a sleep that never waits for its child, which stays a zombie.
        using var holder = Process.Start(new ProcessStartInfo("sh", ["-c", "sh -c 'sleep 0.5' & echo $!; exec sleep 1000"]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        try
        {
            var zombie = int.Parse((await holder.StandardOutput.ReadLineAsync())!);
            var watch = new ParentWatch(zombie, TimeProvider.System);
            await watch.WaitForExitAsync(TestContext.CurrentContext.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.That(Directory.Exists($"/proc/{zombie}"), Is.True, "it should still be there as a zombie");
        }
        finally
        {
            holder.Kill();
            await holder.WaitForExitAsync();
        }
    }

    // "sh -c script" stands where "dotnet x.dll" does in the product.
    private ChildProcess Start(string script) =>
        ChildProcess.Start("child", "/bin/sh", "-c", [script], Path.Combine(_folder, "child.log"), NoChanges);

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(20, limit.Token);
    }
}
