using System.Globalization;
using FogCompute.EndToEnd.Tests.Harness;
using FogCompute.Protocol;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>Urgent work takes the machine from work that can wait, and what that had done is not lost.</summary>
[TestFixture]
internal sealed class PreemptionTests : SharedPoolScenario
{
    private const int Rounds = 150;

    /// <summary>Counts in steps of a tenth of a second, from where the run before left off.</summary>
    private const string Counting = """
        file="$FOG_CHECKPOINT_DIR/count"
        n=$(cat "$file" 2>/dev/null || echo 0)
        echo "from $n"
        trap 'echo "$n" > "$file"; echo "saved $n"; exit 85' TERM
        while [ "$n" -lt 150 ]; do n=$((n + 1)); sleep 0.1; done
        echo "done $n"
        """;

    [Test]
    public async Task Urgent_work_takes_the_only_device_with_notice_and_the_other_goes_on_from_its_checkpoint()
    {
        const string label = "preempt";
        await Pool.StartAgentsAsync(1, new AgentOptions { Label = label, Cpu = 1, Slots = 1 });
        var low = (await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = "counts", Priority = 10, Retries = 0, Payload = JobRequest.Command("sh", "-c", Counting), Checkpoint = new CheckpointSpec(), Constraints = Only(label),
        })).JobId;
        var first = await Pool.AttemptAsync(low, "running");
        await Wait.UntilAsync("it has printed something", () => Pool.Client.JobAsync(low), j => j.Logs.Contains("from 0"));

        var high = (await Pool.Client.SubmitAsync(new JobRequest { Name = "urgent", Priority = 90, Payload = JobRequest.Sleep(1), Constraints = Only(label) })).JobId;
        var urgent = await Pool.CompletedAsync(high);
        var job = await Pool.CompletedAsync(low);

        var (taken, last) = (job.Attempts.Single(a => a.Id == first.Id), job.Attempts.MaxBy(a => a.Epoch)!);
        var resumed = job.Logs.Single(l => l.StartsWith("from ", StringComparison.Ordinal));
        var task = (await Pool.Client.TasksAsync(low)).Single();
        Assert.Multiple(() =>
        {
            Assert.That(job.Attempts, Has.Count.EqualTo(2));
            Assert.That((taken.State, taken.Reason), Is.EqualTo(("preempted", "preempted")));
            Assert.That(last.State, Is.EqualTo("accepted"));
            Assert.That(urgent.Attempts.Single().StartedAt, Is.GreaterThanOrEqualTo(taken.FinishedAt!.Value).And.LessThan(last.StartedAt!.Value));
            // The patience of the rule, a second for its look, and what is left for a notice and a start: far less than the 30 s of the notice.
            Assert.That(urgent.Started - urgent.Submitted, Is.GreaterThan(TimeSpan.FromSeconds(5)).And.LessThan(Wait.OnThisMachine(TimeSpan.FromSeconds(15))));

            Assert.That(int.Parse(resumed["from ".Length..], CultureInfo.InvariantCulture), Is.InRange(5, Rounds - 1), "it went on where it was stopped");
            Assert.That(job.Logs, Does.Contain($"done {Rounds}"));
            Assert.That(task.Counters, Is.EqualTo(new CountersView(JobErrors: 0, DeviceLosses: 0, Evictions: 0)));
        });
        await Pool.AssertSettledOnceAsync(low);
        await Pool.AssertSettledOnceAsync(high);
    }
}
