using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class JobTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    internal static Job Submit(Func<JobRequest, JobRequest>? change = null, int dependencies = 0, AcceptedQuote? quote = null)
    {
        var request = new JobRequest
        {
            Account = new AccountId(Guid.CreateVersion7(Now)), Name = "render", Tier = SlaTier.Bronze, Estimate = TimeSpan.FromHours(1),
            Needs = new Requirements { CpuMillicores = 1000, MemoryBytes = 1L << 30, PayloadKind = "builtin" },
            Limits = new JobLimits(3600, 600, 3600, 600, 1L << 30, 1L << 30, 1L << 26, 256), Specification = "{}",
        };
        request = change?.Invoke(request) ?? request;
        return Job.Submit(request, dependencies, Now, Prices.Of(request.Tier), quote);
    }

    /// <summary>Counters are written set-based by the database; here by the property's own setter.</summary>
    private static Job Ended(Job job, int succeeded, int failed = 0)
    {
        typeof(Job).GetProperty(nameof(Job.TasksSucceeded))!.SetValue(job, succeeded);
        typeof(Job).GetProperty(nameof(Job.TasksFailed))!.SetValue(job, failed);
        return job;
    }

    [Test]
    public void A_submitted_job_is_admitted_with_quote_and_hold()
    {
        var job = Submit(r => r with { TaskCount = 10 });
        Assert.That(job.State, Is.EqualTo(JobState.Admitted));
        Assert.That(job.QuoteMicro, Is.EqualTo(1_500_000));
        Assert.That(job.HoldMicro, Is.EqualTo(1_650_000));
        Assert.That(job.SubmittedAt, Is.EqualTo(Now));
    }

    [Test]
    public void A_wall_limit_beyond_the_estimate_is_quoted_as_what_it_may_cost()
    {
        var job = Submit(r => r with { Limits = r.Limits with { WallSeconds = 11 * 3600 } });
        Assert.That(job.QuoteMicro, Is.EqualTo(1_500_000).Within(1));
    }

    private static Job Quoted(long price = 200_000, double p95 = 60) => Submit(r => r with { TaskCount = 3, Plan = PlanKind.Green }, quote: new AcceptedQuote(Guid.CreateVersion7(Now), price, p95));

    [Test]
    public void A_named_quote_is_held_to_the_micro_credit_and_nothing_above_it()
    {
        var job = Quoted();
        Assert.That((job.QuoteMicro, job.HoldMicro, job.HoldPerTaskMicro), Is.EqualTo((600_000, 600_000, 200_000)));
        Assert.That((job.Plan, job.QuotedP95At), Is.EqualTo((PlanKind.Green, (DateTimeOffset?)Now.AddSeconds(60))));
        Assert.That(() => Submit(r => r with { MaxPriceMicro = 199_999 }, quote: new AcceptedQuote(Guid.Empty, 200_000, 1)), Throws.TypeOf<FogException>());
        Assert.That(Quoted(p95: 1e12).QuotedP95At, Is.Null, "beyond the calendar");
    }

    [TestCase(SlaTier.Bronze, PlanKind.Cheap)]
    [TestCase(SlaTier.Silver, PlanKind.Knee)]
    [TestCase(SlaTier.Gold, PlanKind.Safe)]
    [TestCase(SlaTier.Platinum, PlanKind.Fast)]
    public void A_tier_is_a_named_point_of_the_front(SlaTier tier, PlanKind plan) => Assert.That(Submit(r => r with { Tier = tier }).Plan, Is.EqualTo(plan));

    [Test]
    public void A_quote_is_judged_by_completion_or_by_its_time_running_out()
    {
        bool? Completed(double after)
        {
            var job = Ended(Quoted(), succeeded: 3);
            job.Finish(Now.AddSeconds(after));
            return job.WithinQuote;
        }
        bool? Cancelled(double after)
        {
            var job = Quoted();
            job.Cancel(Now.AddSeconds(after));
            return job.WithinQuote;
        }
        Assert.That((Completed(60), Completed(61), Cancelled(60), Cancelled(61)), Is.EqualTo(((bool?)true, (bool?)false, (bool?)null, (bool?)false)));
        var unquoted = Ended(Submit(), succeeded: 1);
        unquoted.Finish(Now);
        Assert.That(unquoted.WithinQuote, Is.Null);
    }

    [TestCase(0)]
    [TestCase(-1)]
    public void Rejects_a_deadline_that_has_passed(int seconds)
    {
        var refusal = Assert.Throws<FogException>(() => Submit(r => r with { Deadline = Now.AddSeconds(seconds) }))!;
        Assert.That(refusal.Error, Is.EqualTo(SchedulerErrors.DeadlinePassed));
        Assert.That(refusal.Fields.Keys, Is.EqualTo(new[] { "deadline" }));
    }

    [Test]
    public void Rejects_a_quote_above_the_price_cap_and_names_the_quote()
    {
        var refusal = Assert.Throws<FogException>(() => Submit(r => r with { MaxPriceMicro = 149_999 }))!;
        Assert.That(refusal.Error.Code, Is.EqualTo("scheduler.over_max_price"));
        Assert.That(refusal.Message, Does.Contain("0.150000"));
        Assert.That(Submit(r => r with { MaxPriceMicro = 150_000 }).State, Is.EqualTo(JobState.Admitted));
    }

    [Test]
    public void Platinum_alone_asks_for_attested_devices() =>
        Assert.That(Enum.GetValues<SlaTier>().Where(t => Submit(r => r with { Tier = t }).Needs.AttestedOnly), Is.EqualTo(new[] { SlaTier.Platinum }));

    [Test]
    public void Starting_twice_keeps_the_first_instant()
    {
        var job = Submit();
        job.Start(Now.AddSeconds(1));
        job.Start(Now.AddSeconds(2));
        Assert.That((job.State, job.StartedAt), Is.EqualTo((JobState.Running, (DateTimeOffset?)Now.AddSeconds(1))));
    }

    [Test]
    public void A_paused_job_resumes_to_where_it_was()
    {
        var waiting = Submit();
        waiting.Pause();
        Assert.That(() => waiting.Pause(), Throws.TypeOf<FogException>().With.Property("Error").EqualTo(SchedulerErrors.AlreadyPaused));
        waiting.Resume();
        Assert.That(waiting.State, Is.EqualTo(JobState.Admitted));

        var running = Submit();
        running.Start(Now);
        running.Pause();
        running.Resume();
        Assert.That(running.State, Is.EqualTo(JobState.Running));
        Assert.That(() => running.Resume(), Throws.TypeOf<FogException>());
    }

    [Test]
    public void A_paused_job_is_not_started_by_a_late_lease()
    {
        var job = Submit();
        job.Pause();
        Assert.That(() => job.Start(Now), Throws.TypeOf<FogException>());
        Assert.That(job.State, Is.EqualTo(JobState.Paused));
    }

    [Test]
    public void Every_open_state_can_be_cancelled_and_no_ended_one()
    {
        var (waiting, running, paused) = (Submit(), Submit(), Submit());
        running.Start(Now);
        paused.Pause();
        foreach (var job in new[] { waiting, running, paused })
        {
            job.Cancel(Now.AddMinutes(1));
            Assert.That((job.State, job.StateReason, job.FinishedAt), Is.EqualTo((JobState.Cancelled, "cancelled_by_requester", (DateTimeOffset?)Now.AddMinutes(1))));
            foreach (var again in new Action[] { () => job.Cancel(Now), job.Pause, job.Resume })
            {
                var refusal = Assert.Throws<FogException>(() => again())!;
                Assert.That(refusal.Error.Code, Is.EqualTo("scheduler.job_finished"));
            }
        }
    }

    [Test]
    public void Ends_name_their_reason()
    {
        var (late, dependent) = (Submit(), Submit(dependencies: 1));
        late.Expire(Now, "deadline_passed");
        dependent.FailDependency(Now);
        Assert.That((late.State, late.StateReason), Is.EqualTo((JobState.Expired, "deadline_passed")));
        Assert.That((dependent.State, dependent.StateReason), Is.EqualTo((JobState.Failed, "dependency_failed")));
    }

    [Test]
    public void A_job_with_open_tasks_does_not_finish() =>
        Assert.That(() => Ended(Submit(r => r with { TaskCount = 2 }), 1).Finish(Now), Throws.InvalidOperationException);

    [Test]
    public void All_tasks_done_completes_the_job_even_if_it_is_paused_by_then()
    {
        var job = Ended(Submit(r => r with { TaskCount = 2 }), 2);
        job.Pause();
        job.Finish(Now.AddMinutes(5));
        Assert.That((job.State, job.StateReason, job.SlaMet), Is.EqualTo((JobState.Completed, (string?)null, (bool?)true)));
    }

    [Test]
    public void Failed_tasks_fail_the_job_and_are_counted()
    {
        var (single, many) = (Ended(Submit(), 0, 1), Ended(Submit(r => r with { TaskCount = 5 }), 2, 3));
        single.Finish(Now);
        many.Finish(Now);
        Assert.That((single.State, single.StateReason), Is.EqualTo((JobState.Failed, "task_failed")));
        Assert.That((many.State, many.StateReason), Is.EqualTo((JobState.Failed, "tasks_failed:3")));
        Assert.That(many.SlaMet, Is.False);
    }

    [Test]
    public void A_tier_is_met_when_queue_and_run_stay_within_its_bound()
    {
        // Gold: 10 min of queueing and twice the estimate of an hour.
        var (inTime, late) = (Ended(Submit(r => r with { Tier = SlaTier.Gold }), 1), Ended(Submit(r => r with { Tier = SlaTier.Gold }), 1));
        inTime.Finish(Now.AddMinutes(130));
        late.Finish(Now.AddMinutes(130).AddTicks(1));
        Assert.That((inTime.SlaMet, late.SlaMet), Is.EqualTo(((bool?)true, (bool?)false)));
    }
}
