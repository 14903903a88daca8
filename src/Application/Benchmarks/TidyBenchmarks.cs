using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Benchmarks;

// Recurring
// Benchmarks whose process ended are marked interrupted, so that the next can start; the newest 500 are kept.

[RequiresPermission(Permissions.Operate)]
public sealed record TidyBenchmarksCommand : ICommand<RecurringOutcome>;

internal sealed class TidyBenchmarksHandler(IBenchmarkRuns runs) : ICommandHandler<TidyBenchmarksCommand, RecurringOutcome>
{
    private const int Kept = 500;

    public async Task<RecurringOutcome> Handle(TidyBenchmarksCommand request, CancellationToken cancellationToken)
    {
        await runs.InterruptSilentAsync(cancellationToken);
        await runs.ForgetAsync(Kept, cancellationToken);
        return new RecurringOutcome(MoreToDo: false);
    }
}
