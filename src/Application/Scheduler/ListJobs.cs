using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs?status=&limit=100&cursor=
// The caller's jobs, newest first.

[RequiresPermission(Permissions.JobsRead)]
[Collapsed]
public sealed record ListJobsQuery : IQuery<JobList>
{
    /// <summary>pending, running, paused, completed, failed or cancelled.</summary>
    public string? Status { get; init; }

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>The <c>next</c> of the page before.</summary>
    public Guid? Cursor { get; init; }
}

/// <param name="Total">All jobs that match, not only this page.</param>
/// <param name="Filtered">Jobs on this page.</param>
/// <param name="Next">Cursor of the next page; null at the end.</param>
public sealed record JobList(IReadOnlyList<JobItem> Jobs, int Total, int Filtered, Guid? Next);

public record JobItem
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required string Status { get; init; }
    public required string Sla { get; init; }

    /// <summary>Cores per task.</summary>
    public required double Cpu { get; init; }

    /// <summary>MiB per task.</summary>
    public required double Memory { get; init; }
    public required int Gpu { get; init; }

    /// <summary>The device of its newest attempt; null before the first.</summary>
    public string? Node { get; init; }
    public required DateTimeOffset Submitted { get; init; }
    public DateTimeOffset? Started { get; init; }
    public DateTimeOffset? Completed { get; init; }

    /// <summary>Percent of its tasks that have ended.</summary>
    public required double Progress { get; init; }

    /// <summary>When it will end at the pace so far; null before the first task has ended.</summary>
    public DateTimeOffset? Eta { get; init; }
}

internal sealed class ListJobsValidator : AbstractValidator<ListJobsQuery>
{
    public ListJobsValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
        RuleFor(q => q.Status).Must(s => JobWords.States(s!) is not null).When(q => q.Status is not null).WithMessage($"must be one of {string.Join(", ", JobWords.Statuses)}.");
    }
}

internal sealed class ListJobsHandler(ISchedulerDb db, CallerContext context, TimeProvider time) : IQueryHandler<ListJobsQuery, JobList>
{
    public async Task<JobList> Handle(ListJobsQuery query, CancellationToken cancellationToken)
    {
        var jobs = db.Jobs.AsNoTracking();
        if (!context.Caller.IsOperator)
            jobs = jobs.Where(j => j.AccountId == context.Caller.Account);
        if (query.Status is not null)
        {
            var states = JobWords.States(query.Status)!;
            jobs = jobs.Where(j => states.Contains(j.State));
        }
        var total = await jobs.CountAsync(cancellationToken);
        if (query.Cursor is { } cursor)
        {
            var before = new JobId(cursor);
            jobs = jobs.Where(j => j.Id < before);
        }
        var page = await jobs.OrderByDescending(j => j.Id).Take(query.Limit).ToListAsync(cancellationToken);
        var ids = page.Select(j => j.Id).ToList();
        var nodes = await db.Attempts.AsNoTracking().Where(a => ids.Contains(a.JobId))
            .GroupBy(a => a.JobId).Select(g => new { g.Key, Device = g.OrderByDescending(a => a.LeasedAt).Select(a => a.DeviceId).First() })
            .ToDictionaryAsync(x => x.Key, x => x.Device, cancellationToken);
        var now = time.GetUtcNow();
        var items = page.Select(j => JobItems.Of(j, nodes.GetValueOrDefault(j.Id), now)).ToList();
        return new JobList(items, total, items.Count, page.Count == query.Limit ? page[^1].Id.Value : null);
    }
}

internal static class JobItems
{
    public static JobItem Of(Job job, string? node, DateTimeOffset now) => new()
    {
        Id = job.Id.Value, Name = job.Name, Status = JobWords.Status(job.State), Sla = JobWords.Tier(job.SlaTier), Cpu = job.CpuMillicores / 1000.0,
        Memory = job.MemoryBytes / (double)(1 << 20), Gpu = job.Gpus, Node = node, Submitted = job.SubmittedAt, Started = job.StartedAt, Completed = job.FinishedAt,
        Progress = Progress(job), Eta = Eta(job, now),
    };

    public static double Progress(Job job) =>
        job.State == JobState.Completed ? 100 : Math.Round(100.0 * (job.TasksSucceeded + job.TasksFailed) / job.TaskCount, 2);

    public static DateTimeOffset? Eta(Job job, DateTimeOffset now)
    {
        var ended = job.TasksSucceeded + job.TasksFailed;
        if (job.State != JobState.Running || job.StartedAt is not { } started || ended == 0)
            return null;
        return now + (now - started) * ((double)job.TasksLeft / ended);
    }
}
