using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// Recurring

/// <summary>Keeps the history of recurring jobs bounded: seven days, and the newest 1000 entries of each.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ForgetRunsCommand : ICommand<RecurringOutcome>;

internal sealed class ForgetRunsHandler(IRecurringJobs jobs, TimeProvider time) : ICommandHandler<ForgetRunsCommand, RecurringOutcome>
{
    internal const int MostPerJob = 1000;
    private static readonly TimeSpan Kept = TimeSpan.FromDays(7);

    /// <summary>Servers say every two seconds that they are there.</summary>
    internal static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    public async Task<RecurringOutcome> Handle(ForgetRunsCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        await jobs.ForgetAsync(now - Kept, MostPerJob, now - Silence, cancellationToken);
        return new RecurringOutcome(MoreToDo: false);
    }
}
