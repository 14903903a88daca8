using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// GET /api/ops/queues
// The task queue as operators know it. Counted at most once a second, for all who ask.

/// <summary>The task queue: what waits and why, what runs, what ended. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record GetQueuesQuery : IQuery<QueueFigures>;

public sealed record QueueFigures
{
    /// <summary>When it was counted, a second or so ago at most.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>How long the counting took, milliseconds.</summary>
    public required double TookMs { get; init; }

    /// <summary>Task replicas that need a device, and tasks that may not have one yet.</summary>
    public required long Waiting { get; init; }

    /// <summary>ready, retry_backoff, paused, waiting_for_dependencies, writing_tasks; those with a count.</summary>
    public required IReadOnlyList<WaitingReason> WaitingBy { get; init; }

    /// <summary>Attempts that a device has and has not begun.</summary>
    public required long Leased { get; init; }

    /// <summary>Attempts that run or deliver.</summary>
    public required long Executing { get; init; }

    /// <summary>Results that wait for others to agree with.</summary>
    public required long Verifying { get; init; }

    /// <summary>Waiting tasks with an earlier attempt that failed.</summary>
    public required long Retrying { get; init; }

    /// <summary>Age of the oldest task that could run now, seconds; null when none waits.</summary>
    public double? OldestWaitingSeconds { get; init; }
    public required EndedTasks LastHour { get; init; }
    public required EndedTasks LastDay { get; init; }

    /// <summary>Tasks that ended in each of the last 120 seconds; seconds without any are left out.</summary>
    public required IReadOnlyList<SecondOfEnds> PerSecond { get; init; }
}

/// <param name="OldestSeconds">Age of the oldest, seconds; null where it is not known.</param>
public sealed record WaitingReason(string Reason, long Tasks, double? OldestSeconds);

/// <param name="Retries">Attempts that failed, whether their task did or not.</param>
public sealed record EndedTasks(long Succeeded, long Failed, long Retries);

/// <param name="At">Unix time, seconds.</param>
public sealed record SecondOfEnds(long At, int Succeeded, int Failed);

internal sealed class GetQueuesHandler(IOperationsFigures figures, TimeProvider time) : IQueryHandler<GetQueuesQuery, QueueFigures>
{
    public Task<QueueFigures> Handle(GetQueuesQuery query, CancellationToken cancellationToken) => figures.QueuesAsync(time.GetUtcNow(), cancellationToken);
}
