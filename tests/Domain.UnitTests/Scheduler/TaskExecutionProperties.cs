using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>Whatever devices do, in whatever order: a task is never stuck, never half finished and never accepted twice.</summary>
public sealed class TaskExecutionProperties
{
    private const int Kinds = 12;

    [Test]
    public void Any_sequence_of_events_keeps_slots_states_and_counters_in_step() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3000),
        Prop.ForAll(
            Gen.Choose(0, 7).ToArbitrary(), Gen.Choose(0, 4).ToArbitrary(), Gen.ListOf(Gen.Choose(0, int.MaxValue - 1)).ToArbitrary(),
            (kind, retries, events) =>
            {
                var world = new TaskWorld((SlaTier)(kind % 4), deterministic: kind < 4, retries, hold: 5_000);
                var ends = 0;
                foreach (var number in events)
                {
                    var outcome = Happen(world, number);
                    ends += outcome is TaskOutcome.Accepted or TaskOutcome.Failed ? 1 : 0;
                    RequireInvariants(world, outcome, ends);
                }
                return true;
            }));

    [Test]
    public void A_pool_of_honest_devices_finishes_every_task_after_any_history() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1000),
        Prop.ForAll(
            Gen.Choose(0, 7).ToArbitrary(), Gen.ListOf(Gen.Choose(0, int.MaxValue - 1)).ToArbitrary(),
            (kind, events) =>
            {
                var world = new TaskWorld((SlaTier)(kind % 4), deterministic: kind < 4, retries: 1000);
                foreach (var number in events)
                    Happen(world, number);
                for (var step = 0; step < 10 && !world.Task.State.IsFinal(); step++)
                {
                    foreach (var attempt in world.LiveAttempts.ToList())
                    {
                        if (attempt.State.IsLive())
                            world.Report(attempt, "A");
                    }
                    if (world.Task.OpenSlots > 0)
                        world.Lease();
                }
                return world.Task.State.IsFinal();
            }));

    /// <summary>One of the things that can happen to the task now; null: it could not happen.</summary>
    private static TaskOutcome? Happen(TaskWorld world, int number)
    {
        var (what, rest) = (number % Kinds, number / Kinds);
        if (what is 0 or 1)
        {
            if (world.Task.OpenSlots > 0)
                world.Lease();
            return null;
        }
        if (what == 11)
        {
            world.Execution.Speculate(world.Now);
            return null;
        }
        if (what == 2)
            return world.Task.State.IsFinal() ? null : world.Execution.WaiveAudit(world.Now);
        var live = world.LiveAttempts.ToList();
        if (live.Count == 0)
        {
            RequireClosed(world, rest);
            return null;
        }
        var attempt = live[rest % live.Count];
        var digest = "ABC"[rest / 7 % 3].ToString();
        switch (what)
        {
            case 3:
                world.Execution.Progress(attempt, (AttemptState)(rest / 3 % 4), world.Now, "log", rest % 100);
                return null;
            case 4:
                world.Execution.Preempt(attempt, "paused", world.Now);
                return null;
            case 5:
                return world.Execution.Lose(attempt, "device_lost", world.Now);
            case 6:
                return world.End(attempt, AttemptState.Crashed, "exit_code");
            case 7:
                return world.End(attempt, AttemptState.TimedOut, "wall_limit");
            case 8:
                return world.End(attempt, rest % 2 == 0 ? AttemptState.Evicted : AttemptState.Declined);
            default:
                return world.Report(attempt, digest, wallMs: rest % 100_000, audit: rest % 5 == 0 && world.Execution.Terms.Tier.Audited);
        }
    }

    /// <summary>Late messages about attempts that have ended are refused and change nothing.</summary>
    private static void RequireClosed(TaskWorld world, int rest)
    {
        if (world.Execution.Attempts.Count == 0)
            return;
        var (state, slots) = (world.Task.State, world.Task.OpenSlots);
        var attempt = world.Execution.Attempts[rest % world.Execution.Attempts.Count];
        Assert.That(() => world.Report(attempt, "A"), Throws.TypeOf<FogException>());
        Require((world.Task.State, world.Task.OpenSlots) == (state, slots), "a refused report changed the task");
    }

    private static void RequireInvariants(TaskWorld world, TaskOutcome? outcome, int ends)
    {
        var (task, attempts) = (world.Task, world.Execution.Attempts);
        var live = attempts.Count(a => a.State.IsLive());
        var reported = attempts.Count(a => a.State == AttemptState.Reported);
        var accepted = attempts.Where(a => a.State == AttemptState.Accepted).ToList();
        var terms = world.Execution.Terms.Tier;

        Require(ends <= 1, "the task ended twice");
        Require(task.JobErrors == attempts.Count(a => a.State is AttemptState.Crashed or AttemptState.TimedOut), "job errors are not what payloads failed");
        Require(task.DeviceLosses == attempts.Count(a => a.State == AttemptState.Lost), "losses are not what devices lost");
        Require(task.Evictions == attempts.Count(a => a.State == AttemptState.Evicted), "evictions are not what owners took back");
        Require(task.Epoch == attempts.Count && attempts.Select(a => a.Epoch).SequenceEqual(Enumerable.Range(1, attempts.Count)), "epochs do not strictly increase");
        var replicas = attempts.Where(a => a.State.IsLive() || a.State == AttemptState.Reported).Select(a => a.Replica).ToList();
        Require(replicas.Distinct().Count() == replicas.Count, "two attempts hold one replica");

        var retries = world.Execution.Terms.Retries;
        var exhausted = task.State == TaskState.Failed && task.FailureReason != "no_agreement";
        Require(exhausted ? task.JobErrors == retries + 1 : task.JobErrors <= retries, "retries are not counted by the payload's failures");

        if (task.State.IsFinal())
        {
            Require(ends == 1, "the task ended without saying so");
            Require(live == 0 && reported == 0 && task.OpenSlots == 0, "an ended task still asks for or holds something");
            Require(task.State == TaskState.Succeeded == accepted.Count > 0, "accepted attempts and state disagree");
            Require(accepted.All(a => a.OutputDigest == task.OutputDigest), "an accepted attempt returned something else");
            Require(task.State == TaskState.Failed || task.CostMicro is >= 1 and <= 5_000, "the charge is not between 1 micro-credit and the hold");
            if (outcome is TaskOutcome.Accepted end)
            {
                Require(end.Winners.Count >= (task.Audited ? Math.Max(2, terms.Agree) : terms.Agree), "too few agreed");
                Require(end.Verified == end.Winners.Count > 1, "verified means that two devices agreed");
            }
            return;
        }
        Require(ends == 0, "an ended task goes on");
        Require(task.OpenSlots > 0 || live > 0, "the task is stuck: nothing open and nothing running");
        var (agree, most) = task.Audited ? (Math.Max(2, terms.Agree), Math.Max(3, terms.MaxReplicas)) : (terms.Agree, terms.MaxReplicas);
        var asked = task.OpenSlots + live + reported;
        Require(asked >= agree && asked <= Math.Max(most, agree + (task.Speculated ? 1 : 0)), $"{asked} replicas asked for, outside {agree}–{most}");
        Require(!task.Speculated || asked > 1, "a copy of nothing");
        var expected = reported > 0 ? TaskState.Verifying
            : attempts.Any(a => a.State is AttemptState.Running or AttemptState.Uploading) ? TaskState.Executing
            : live > 0 ? TaskState.Leased : TaskState.Ready;
        Require(task.State == expected, $"the task is {task.State}, its attempts say {expected}");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidOperationException(otherwise);
    }
}
