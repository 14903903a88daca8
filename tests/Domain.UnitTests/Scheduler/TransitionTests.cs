using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class TransitionTests
{
    private static void Every_pair_outside_the_table_throws<TState>(TransitionTable<TState> table) where TState : struct, Enum
    {
        foreach (var from in Enum.GetValues<TState>())
        foreach (var to in Enum.GetValues<TState>())
        {
            if (table.Rows.Contains((from, to)))
            {
                Assert.That(table.Move(from, to), Is.EqualTo(to));
                continue;
            }
            var refusal = Assert.Throws<FogException>(() => table.Move(from, to), $"{from} → {to}")!;
            Assert.That(refusal.Error.Kind, Is.EqualTo(ErrorKind.Conflict));
            Assert.That(refusal.Error.Code, Does.EndWith(".illegal_transition"));
            Assert.That(refusal.Message, Does.Contain(from.ToString()).And.Contain(to.ToString()));
        }
    }

    private static TState[] Finals<TState>(TransitionTable<TState> table) where TState : struct, Enum =>
        Enum.GetValues<TState>().Where(s => table.Rows.All(r => !r.From.Equals(s))).ToArray();

    private static void Every_state_is_reachable<TState>(TransitionTable<TState> table, params TState[] initial) where TState : struct, Enum
    {
        var reached = initial.ToHashSet();
        while (table.Rows.FirstOrDefault(r => reached.Contains(r.From) && !reached.Contains(r.To)) is var (from, to) && !from.Equals(to))
            reached.Add(to);
        Assert.That(Enum.GetValues<TState>().Except(reached), Is.Empty);
    }

    [Test]
    public void A_job_makes_only_the_changes_of_its_table() => Every_pair_outside_the_table_throws(Transitions.Job);

    [Test]
    public void A_task_makes_only_the_changes_of_its_table() => Every_pair_outside_the_table_throws(Transitions.Task);

    [Test]
    public void An_attempt_makes_only_the_changes_of_its_table() => Every_pair_outside_the_table_throws(Transitions.Attempt);

    [Test]
    public void Nothing_leaves_an_end()
    {
        Assert.That(Finals(Transitions.Job), Is.EquivalentTo(Enum.GetValues<JobState>().Where(s => !s.IsOpen())));
        Assert.That(Finals(Transitions.Task), Is.EquivalentTo(Enum.GetValues<TaskState>().Where(s => s.IsFinal())));
        Assert.That(Finals(Transitions.Attempt), Is.EquivalentTo(Enum.GetValues<AttemptState>().Where(s => !s.IsLive() && s != AttemptState.Reported)));
    }

    [Test]
    public void Every_state_can_be_reached()
    {
        Every_state_is_reachable(Transitions.Job, JobState.Submitted);
        Every_state_is_reachable(Transitions.Task, TaskState.Pending);
        Every_state_is_reachable(Transitions.Attempt, AttemptState.Leased);
    }

    [Test]
    public void Nothing_becomes_what_it_is_already()
    {
        Assert.That(Transitions.Job.Rows.Where(r => r.From == r.To), Is.Empty);
        Assert.That(Transitions.Task.Rows.Where(r => r.From == r.To), Is.Empty);
        Assert.That(Transitions.Attempt.Rows.Where(r => r.From == r.To), Is.Empty);
    }

    [Test]
    public void Every_open_job_can_be_cancelled_failed_and_expired_once_it_is_admitted()
    {
        foreach (var state in new[] { JobState.Admitted, JobState.Running, JobState.Paused })
        foreach (var end in new[] { JobState.Cancelled, JobState.Failed, JobState.Expired })
            Assert.That(Transitions.Job.Allows(state, end), Is.True, $"{state} → {end}");
    }

    [Test]
    public void A_result_that_was_lost_or_handed_back_is_never_accepted()
    {
        var ways = Transitions.Attempt.Rows.Where(r => r.To == AttemptState.Accepted).Select(r => r.From);
        Assert.That(ways, Is.EqualTo(new[] { AttemptState.Reported }));
    }
}
