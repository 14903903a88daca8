using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// DELETE /api/scheduler/jobs/{id}
// Cancels an open job in any state and stops its processes on the devices.

[RequiresPermission(Permissions.JobsWrite)]
[Audited("scheduler.job_cancelled", Subject = nameof(JobId))]
public sealed record CancelJobCommand(Guid JobId) : ICommand<JobStatusResult>;

internal sealed class CancelJobHandler(ISchedulerDb db, IJobQueue queue, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<CancelJobCommand, JobStatusResult>
{
    public async Task<JobStatusResult> Handle(CancelJobCommand command, CancellationToken cancellationToken)
    {
        var id = new JobId(command.JobId);
        await JobAccess.RequireAsync(db, context.Caller, id, cancellationToken);
        var now = time.GetUtcNow();
        var job = await JobEnding.EndAsync(id, "cancelled", j => j.Cancel(now), queue, transaction, now, cancellationToken);
        return new JobStatusResult(true, command.JobId, JobWords.Status((job ?? throw new FogException(SchedulerErrors.JobNotFound)).State));
    }
}

internal static class JobAccess
{
    /// <summary>404 unless the job exists and is the caller's (or the caller operates the pool): others never learn that it exists.</summary>
    public static async Task RequireAsync(ISchedulerDb db, Caller caller, JobId id, CancellationToken cancel)
    {
        var owner = await db.Jobs.Where(j => j.Id == id).Select(j => (AccountId?)j.AccountId).SingleOrDefaultAsync(cancel);
        if (owner is null || !caller.MayActFor(owner.Value))
            throw new FogException(SchedulerErrors.JobNotFound);
    }

    /// <summary>The job as the caller may read it, untracked.</summary>
    public static async Task<Job> ReadAsync(ISchedulerDb db, Caller caller, JobId id, CancellationToken cancel)
    {
        var job = await db.Jobs.AsNoTracking().SingleOrDefaultAsync(j => j.Id == id, cancel);
        return job is not null && caller.MayActFor(job.AccountId) ? job : throw new FogException(SchedulerErrors.JobNotFound);
    }
}
