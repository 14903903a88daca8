using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// Recurring, every two seconds, single-flight.
// Promises: the compute hours that a submit reserved are replaced by those its job really ran soon after it ended; off the path of results.

[RequiresPermission(Permissions.Operate)]
public sealed record CommitComputeHoursCommand : ICommand<RecurringOutcome>;

internal sealed class CommitComputeHoursHandler(IUsage usage, TimeProvider time) : ICommandHandler<CommitComputeHoursCommand, RecurringOutcome>
{
    private const int Most = 5_000;
    private const int KeptDays = 90;

    public async Task<RecurringOutcome> Handle(CommitComputeHoursCommand request, CancellationToken cancellationToken) =>
        new(await usage.CommitComputeAsync(Most, Plans.DayOf(time.GetUtcNow()).AddDays(-KeptDays), cancellationToken) == Most);
}
