using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs/{id}/tasks?cursor=&limit=
// The tasks of a job in index order, with the accepted result of each. Those of a long array that have no row yet are counted, not listed.

[RequiresPermission(Permissions.JobsRead)]
public sealed record ListTasksQuery : IQuery<TaskList>
{
    public Guid JobId { get; init; }

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>First index wanted.</summary>
    public int Cursor { get; init; }
}

/// <param name="Next">Cursor of the next page; null at the end of what can be listed.</param>
/// <param name="Unlisted">Tasks at the end of a long array that are not written out yet: they wait, or were cancelled with their job.</param>
public sealed record TaskList(IReadOnlyList<TaskItem> Tasks, int? Next, int Unlisted);

public sealed record TaskItem
{
    public required int Index { get; init; }
    public required string State { get; init; }

    /// <summary>The device whose result was accepted, or that runs it now.</summary>
    public string? Device { get; init; }
    public required int Attempts { get; init; }

    /// <summary>Whether it ran long, so that a copy on another device was asked for.</summary>
    public required bool Copied { get; init; }
    public int? ExitCode { get; init; }
    public IReadOnlyList<OutputFile> Outputs { get; init; } = [];
    public string? Stdout { get; init; }
    public string? Stderr { get; init; }
    public IReadOnlyDictionary<string, double>? Measurements { get; init; }

    /// <summary>Credits charged.</summary>
    public decimal Cost { get; init; }
    public string? Reason { get; init; }
    public DateTimeOffset? Started { get; init; }
    public DateTimeOffset? Finished { get; init; }

    /// <summary>The three counters: payload failures, device losses, owner evictions.</summary>
    public required TaskCounters Counters { get; init; }
}

public sealed record TaskCounters(int JobErrors, int DeviceLosses, int Evictions);

internal sealed class ListTasksValidator : AbstractValidator<ListTasksQuery>
{
    public ListTasksValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
        RuleFor(q => q.Cursor).InclusiveBetween(0, 1_000_000);
    }
}

internal sealed class ListTasksHandler(ISchedulerDb db, CallerContext context) : IQueryHandler<ListTasksQuery, TaskList>
{
    public async Task<TaskList> Handle(ListTasksQuery query, CancellationToken cancellationToken)
    {
        var id = new JobId(query.JobId);
        var job = await JobAccess.ReadAsync(db, context.Caller, id, cancellationToken);
        var tasks = await db.Tasks.AsNoTracking().Where(t => t.JobId == id && t.Index >= query.Cursor).OrderBy(t => t.Index).Take(query.Limit).ToListAsync(cancellationToken);
        if (tasks.Count == 0)
            return new TaskList([], null, job.TasksUnwritten);
        var (first, last) = (tasks[0].Index, tasks[^1].Index);
        var attempts = await db.Attempts.AsNoTracking().Where(a => a.JobId == id && a.TaskIndex >= first && a.TaskIndex <= last).ToListAsync(cancellationToken);
        var byTask = attempts.ToLookup(a => a.TaskIndex);
        return new TaskList([.. tasks.Select(t => Item(t, [.. byTask[t.Index]]))], tasks.Count == query.Limit ? last + 1 : null, job.TasksUnwritten);
    }

    private static TaskItem Item(JobTask task, List<Attempt> attempts)
    {
        var shown = attempts.Find(a => a.State == AttemptState.Accepted) ?? attempts.MaxBy(a => a.Epoch);
        var result = shown?.State == AttemptState.Accepted ? AttemptItems.ResultOf(shown) : null;
        return new TaskItem
        {
            Index = task.Index, State = JobWords.Word(task.State), Device = shown?.DeviceId, Attempts = attempts.Count, Copied = task.Speculated, ExitCode = shown?.ExitCode,
            Outputs = result?.Outputs ?? [], Stdout = shown?.StdoutSha256, Stderr = shown?.StderrSha256, Measurements = result?.Measurements,
            Cost = Pricing.Credits(task.CostMicro), Reason = task.FailureReason ?? shown?.Reason, Started = task.StartedAt, Finished = task.FinishedAt,
            Counters = new TaskCounters(task.JobErrors, task.DeviceLosses, task.Evictions),
        };
    }
}
