using System.Text.Json;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs/{id}
// One job with its task counts, newest attempts, cost, result, last log lines and what it waits for.

[RequiresPermission(Permissions.JobsRead)]
public sealed record GetJobQuery(Guid JobId) : IQuery<JobDetail>;

public sealed record JobDetail : JobItem
{
    /// <summary>Typed reason of a side exit.</summary>
    public string? Reason { get; init; }

    /// <summary>Last lines of the newest attempts' logs; whole logs are artifacts of each task.</summary>
    public required IReadOnlyList<string> Logs { get; init; }
    public required TaskCounts Tasks { get; init; }
    public required JobCost Cost { get; init; }

    /// <summary>The trade-off that placement makes for it.</summary>
    public required string Plan { get; init; }

    /// <summary>When it was quoted to have ended with 95 % probability; null without a quote.</summary>
    public DateTimeOffset? QuotedP95At { get; init; }

    /// <summary>Whether it had; null: no quote, not ended, or ended before that without having completed.</summary>
    public bool? WithinQuote { get; init; }

    /// <summary>The newest attempts, at most 200.</summary>
    public required IReadOnlyList<AttemptItem> Attempts { get; init; }

    /// <summary>The result of a job of one task once it succeeded.</summary>
    public TaskResult? Result { get; init; }

    /// <summary>What an open job waits for; null when it has ended.</summary>
    public JobWhy? Why { get; init; }
}

public sealed record TaskCounts(int Total, int Pending, int Ready, int Leased, int Running, int Verifying, int Succeeded, int Failed, int Cancelled);

/// <summary>Credits.</summary>
public sealed record JobCost(decimal Quoted, decimal Held, decimal Charged);

public sealed record AttemptItem
{
    public required Guid Id { get; init; }
    public required int TaskIndex { get; init; }
    public required int Replica { get; init; }
    public required int Epoch { get; init; }
    public required string Device { get; init; }
    public required string State { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public required DateTimeOffset LeasedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public long WallMs { get; init; }
    public long CpuMs { get; init; }
    public int? ExitCode { get; init; }
    public string? OutputDigest { get; init; }
}

public sealed record TaskResult
{
    public required string Digest { get; init; }
    public int? ExitCode { get; init; }
    public required IReadOnlyList<OutputFile> Outputs { get; init; }

    /// <summary>Artifact of the whole stdout, null when empty.</summary>
    public string? Stdout { get; init; }
    public string? Stderr { get; init; }

    /// <summary>Figures the payload measured, not part of the digest.</summary>
    public IReadOnlyDictionary<string, double>? Measurements { get; init; }
}

internal sealed class GetJobHandler(ISchedulerDb db, IJobInsight insight, CallerContext context, TimeProvider time) : IQueryHandler<GetJobQuery, JobDetail>
{
    private const int AttemptsShown = 200;
    private const int LogLines = 100;

    public async Task<JobDetail> Handle(GetJobQuery query, CancellationToken cancellationToken)
    {
        var job = await JobAccess.ReadAsync(db, context.Caller, new JobId(query.JobId), cancellationToken);
        var attempts = await db.Attempts.AsNoTracking().Where(a => a.JobId == job.Id).OrderByDescending(a => a.LeasedAt).ThenByDescending(a => a.Epoch).Take(AttemptsShown).ToListAsync(cancellationToken);
        var now = time.GetUtcNow();
        var item = JobItems.Of(job, attempts.FirstOrDefault()?.DeviceId, now);
        return new JobDetail
        {
            Id = item.Id, Name = item.Name, Status = item.Status, Sla = item.Sla, Cpu = item.Cpu, Memory = item.Memory, Gpu = item.Gpu, Node = item.Node,
            Submitted = item.Submitted, Started = item.Started, Completed = item.Completed, Progress = item.Progress, Eta = item.Eta, Reason = job.StateReason,
            Logs = [.. LastLines(attempts)],
            Tasks = await insight.CountTasksAsync(job, cancellationToken),
            Cost = new JobCost(Pricing.Credits(job.QuoteMicro), Pricing.Credits(job.HoldMicro), Pricing.Credits(job.ChargedMicro)),
            Plan = JobWords.Word(job.Plan), QuotedP95At = job.QuotedP95At, WithinQuote = job.WithinQuote,
            Attempts = [.. attempts.Select(AttemptItems.Of)],
            Result = job.TaskCount == 1 && attempts.Find(a => a.State == AttemptState.Accepted) is { } accepted ? AttemptItems.ResultOf(accepted) : null,
            Why = job.State.IsOpen() ? await insight.ExplainAsync(job, now, cancellationToken) : null,
        };
    }

    private static IEnumerable<string> LastLines(List<Attempt> newestFirst)
    {
        var several = newestFirst.Select(a => a.TaskIndex).Distinct().Count() > 1;
        return newestFirst.Where(a => a.LogTail is { Length: > 0 }).GroupBy(a => a.TaskIndex).Select(g => g.First()).OrderBy(a => a.TaskIndex)
            .SelectMany(a => a.LogTail!.TrimEnd('\n').Split('\n').Select(line => several ? $"[{a.TaskIndex}] {line}" : line))
            .TakeLast(LogLines);
    }
}

internal static class AttemptItems
{
    public static AttemptItem Of(Attempt attempt) => new()
    {
        Id = attempt.Id.Value, TaskIndex = attempt.TaskIndex, Replica = attempt.Replica, Epoch = attempt.Epoch, Device = attempt.DeviceId, State = JobWords.Word(attempt.State),
        Reason = attempt.Reason, Message = attempt.Message, LeasedAt = attempt.LeasedAt, StartedAt = attempt.StartedAt, FinishedAt = attempt.FinishedAt,
        WallMs = attempt.WallMs, CpuMs = attempt.CpuMs, ExitCode = attempt.ExitCode, OutputDigest = attempt.OutputDigest,
    };

    public static TaskResult ResultOf(Attempt attempt)
    {
        var output = attempt.Output is null ? null : JsonSerializer.Deserialize<AttemptOutput>(attempt.Output, WireJson.Responses);
        return new TaskResult
        {
            Digest = attempt.OutputDigest ?? "", ExitCode = attempt.ExitCode, Outputs = output?.Outputs ?? [], Measurements = output?.Measurements,
            Stdout = attempt.StdoutSha256, Stderr = attempt.StderrSha256,
        };
    }
}
