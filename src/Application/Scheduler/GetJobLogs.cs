using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs/{id}/logs?task=&follow=
// The end of each task's log (at most 16 KiB each, the newest 100 tasks); a follower asks again on every signal.

[RequiresPermission(Permissions.JobsRead)]
public sealed record GetJobLogsQuery : IQuery<JobLogs>
{
    public Guid JobId { get; init; }

    /// <summary>Only this task.</summary>
    public int? Task { get; init; }
}

/// <param name="Status">The job's wire status.</param>
public sealed record JobLogs(string Status, IReadOnlyList<TaskLog> Logs);

/// <param name="Bytes">Bytes logged so far; <paramref name="Text"/> is the end of them.</param>
public sealed record TaskLog(int Task, Guid Attempt, string Text, long Bytes);

internal sealed class GetJobLogsValidator : AbstractValidator<GetJobLogsQuery>
{
    public GetJobLogsValidator() => RuleFor(q => q.Task).InclusiveBetween(0, 999_999).When(q => q.Task is not null);
}

internal sealed class GetJobLogsHandler(ISchedulerDb db, CallerContext context) : IQueryHandler<GetJobLogsQuery, JobLogs>
{
    private const int TasksShown = 100;

    public async Task<JobLogs> Handle(GetJobLogsQuery query, CancellationToken cancellationToken)
    {
        var job = await JobAccess.ReadAsync(db, context.Caller, new JobId(query.JobId), cancellationToken);
        var attempts = db.Attempts.AsNoTracking().Where(a => a.JobId == job.Id && a.LogTail != null && a.LogTail != "");
        if (query.Task is { } index)
            attempts = attempts.Where(a => a.TaskIndex == index);
        var rows = await attempts.OrderByDescending(a => a.LeasedAt).Take(TasksShown * 2)
            .Select(a => new { a.TaskIndex, a.Id, a.Epoch, a.LogTail, a.LogBytes, a.State }).ToListAsync(cancellationToken);
        // One log per task: the accepted attempt's, else the one with most to say among the newest.
        var logs = rows.GroupBy(r => r.TaskIndex)
            .Select(g => g.OrderByDescending(r => r.State == AttemptState.Accepted).ThenByDescending(r => r.Epoch).First())
            .OrderBy(r => r.TaskIndex).Take(TasksShown)
            .Select(r => new TaskLog(r.TaskIndex, r.Id.Value, r.LogTail!, r.LogBytes)).ToList();
        return new JobLogs(JobWords.Status(job.State), logs);
    }
}
