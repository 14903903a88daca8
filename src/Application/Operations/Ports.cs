using FogCompute.Domain.Common;

namespace FogCompute.Application.Operations;

/// <summary>The recurring jobs of the control plane, as rows that every process reads and obeys.</summary>
public interface IRecurringJobs
{
    /// <summary>All of them, by name; one of them with <paramref name="name"/>, none when it is unknown.</summary>
    Task<IReadOnlyList<RecurringJobItem>> ListAsync(string? name, DateTimeOffset now, CancellationToken cancel);

    bool Knows(string name);

    /// <summary>Newest first, after the run <paramref name="after"/>.</summary>
    Task<IReadOnlyList<RecurringRun>> RunsAsync(string name, Guid? after, int limit, CancellationToken cancel);

    /// <summary>Asks for a run; whichever process may run it takes it.</summary>
    Task AskAsync(string name, Guid run, Guid? account, CancellationToken cancel);

    /// <summary>Null: goes on. Returns false when it was so already.</summary>
    Task<bool> PauseAsync(string name, DateTimeOffset? since, Guid? account, CancellationToken cancel);

    /// <summary>Drops runs before <paramref name="before"/> and beyond the newest <paramref name="most"/> of each job, closes runs of servers not seen since <paramref name="silentSince"/>.</summary>
    Task ForgetAsync(DateTimeOffset before, int most, DateTimeOffset silentSince, CancellationToken cancel);
}

/// <summary>What the operations page shows of tasks and servers, in statements that a look each second can afford.</summary>
public interface IOperationsFigures
{
    Task<QueueFigures> QueuesAsync(DateTimeOffset now, CancellationToken cancel);

    /// <summary>Newest first, ended before the cursor.</summary>
    Task<IReadOnlyList<FailureItem>> FailuresAsync(PageMark? after, int limit, CancellationToken cancel);

    /// <summary>Tasks of one view; <see cref="TaskView"/> says in which order.</summary>
    Task<IReadOnlyList<TaskRunItem>> TasksAsync(TaskView view, int limit, DateTimeOffset now, CancellationToken cancel);

    Task<ServerList> ServersAsync(DateTimeOffset now, CancellationToken cancel);
}

public static class OperationsErrors
{
    public static FogError UnknownJob(string name) =>
        new("operations.unknown_job", ErrorKind.NotFound, $"There is no recurring job '{name}'; GET /api/ops/jobs lists them.");
}

public static class OperationsTopics
{
    /// <summary>A recurring job was paused, resumed or asked for.</summary>
    public const string RecurringJobs = "recurring_jobs";
}

/// <summary>Where a page ended: time and id of its last entry.</summary>
public readonly record struct PageMark(DateTimeOffset At, Guid Id)
{
    /// <summary>Microseconds of Unix time and the id: <c>1700000000000000-0190f7a0000070008000000000000001</c>.</summary>
    public override string ToString() => $"{(At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}-{Id:N}";

    /// <summary>Null: not one of ours.</summary>
    public static PageMark? TryParse(string? text)
    {
        var parts = text?.Split('-');
        return parts is [{ Length: > 0 and <= 17 } at, var id] && long.TryParse(at, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var microseconds)
            && microseconds < 250_000_000_000_000_000 && Guid.TryParseExact(id, "N", out var guid)
                ? new PageMark(DateTimeOffset.UnixEpoch.AddMicroseconds(microseconds), guid)
                : null;
    }
}
