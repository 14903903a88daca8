using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// PATCH /api/scheduler/jobs/{id}
// Pauses (running attempts are taken back, nothing is charged for them), resumes or cancels a job.

[RequiresPermission(Permissions.JobsWrite)]
[Audited("scheduler.job_status_changed", Subject = nameof(JobId), Details = [nameof(Status)])]
public sealed record ChangeJobStatusCommand : ICommand<JobStatusResult>
{
    /// <summary>pause, resume, cancel, or the state wished for: paused, running, cancelled.</summary>
    public required string Status { get; init; }

    [JsonIgnore]
    public Guid JobId { get; init; }
}

public sealed record JobStatusResult(bool Success, Guid JobId, string Status);

internal sealed class ChangeJobStatusValidator : AbstractValidator<ChangeJobStatusCommand>
{
    public ChangeJobStatusValidator() =>
        RuleFor(c => c.Status).Must(s => s is "pause" or "paused" or "resume" or "running" or "cancel" or "cancelled")
            .WithMessage("must be pause, resume or cancel (or paused, running, cancelled).");
}

internal sealed class ChangeJobStatusHandler(ISchedulerDb db, IJobQueue queue, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<ChangeJobStatusCommand, JobStatusResult>
{
    public async Task<JobStatusResult> Handle(ChangeJobStatusCommand command, CancellationToken cancellationToken)
    {
        var id = new JobId(command.JobId);
        await JobAccess.RequireAsync(db, context.Caller, id, cancellationToken);
        var now = time.GetUtcNow();
        var job = command.Status switch
        {
            "pause" or "paused" => await PauseAsync(id, now, cancellationToken),
            "resume" or "running" => await ResumeAsync(id, cancellationToken),
            _ => await JobEnding.EndAsync(id, "cancelled", j => j.Cancel(now), queue, transaction, now, cancellationToken),
        };
        return new JobStatusResult(true, command.JobId, JobWords.Status((job ?? throw new FogException(SchedulerErrors.JobNotFound)).State));
    }

    private async Task<Job?> PauseAsync(JobId id, DateTimeOffset now, CancellationToken cancel)
    {
        var executions = await queue.LockLiveAsync(id, cancel);
        foreach (var execution in executions)
        {
            foreach (var attempt in execution.Attempts.Where(a => a.State.IsLive()).ToList())
            {
                execution.Preempt(attempt, "paused", now);
                transaction.SignalAfterCommit(Topics.Device(attempt.DeviceId));
            }
        }
        await queue.SaveAsync(executions, cancel);
        var job = await queue.LockJobAsync(id, cancel);
        job?.Pause();
        transaction.SignalAfterCommit(Topics.Job(id.Value));
        return job;
    }

    private async Task<Job?> ResumeAsync(JobId id, CancellationToken cancel)
    {
        var job = await queue.LockJobAsync(id, cancel);
        job?.Resume();
        transaction.SignalAfterCommit(Topics.Place);
        transaction.SignalAfterCommit(Topics.Job(id.Value));
        return job;
    }
}
