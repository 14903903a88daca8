using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// Recurring, every second.
// Ends jobs whose deadline, queue clock or longest life ran out; what is left of their hold goes back.

[RequiresPermission(Permissions.Operate)]
public sealed record ExpireJobsCommand : ICommand<RecurringOutcome>;

internal sealed class ExpireJobsHandler(IJobQueue queue, ITransactionScope transaction, TimeProvider time) : ICommandHandler<ExpireJobsCommand, RecurringOutcome>
{
    private const int Batch = 32;

    public async Task<RecurringOutcome> Handle(ExpireJobsCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var overdue = await queue.OverdueJobsAsync(now, Batch, cancellationToken);
        foreach (var id in overdue)
            await JobEnding.EndAsync(id, "expired", job => Expire(job, now), queue, transaction, now, cancellationToken);
        return new RecurringOutcome(overdue.Count == Batch);
    }

    private static void Expire(Job job, DateTimeOffset now)
    {
        // Failed with one that it depends on, a moment ago.
        if (job.State.IsOpen())
            job.Expire(now, job.Deadline <= now ? "deadline_passed" : job.EndsBy <= now ? "lifetime_passed" : "queue_timeout");
    }
}

/// <summary>Ends a job before its tasks do (cancel, expiry): tasks first, then the job row, in the order every writer locks them.</summary>
internal static class JobEnding
{
    /// <summary>Null when the job does not exist. Nothing more happens when <paramref name="end"/> leaves it in its state.</summary>
    public static async Task<Job?> EndAsync(
        JobId id, string attemptReason, Action<Job> end, IJobQueue queue, ITransactionScope transaction, DateTimeOffset now, CancellationToken cancel)
    {
        var devices = await queue.CancelTasksAsync(id, attemptReason, now, cancel);
        var job = await queue.LockJobAsync(id, cancel);
        if (job is null)
            return null;
        var before = job.State;
        end(job);
        if (job.State == before)
            return job;
        transaction.Raise(new JobClosed(id, now));
        await JobClosing.ReleaseOrFailDependentsAsync(job, queue, transaction, now, cancel);
        foreach (var device in devices)
            transaction.SignalAfterCommit(Topics.Device(device));
        transaction.SignalAfterCommit(Topics.Job(id.Value));
        transaction.SignalAfterCommit(Topics.Place);
        return job;
    }
}
