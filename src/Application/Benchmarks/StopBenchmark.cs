using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Benchmarks;

// POST /api/benchmarks/stop?benchmark_id=
// Ends a benchmark at once; without an id the one that runs. What it measured until then stays.

/// <summary>Stop a benchmark; without an id the one that runs.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record StopBenchmarkCommand : ICommand<BenchmarkStopped>
{
    /// <summary>Absent: the one that runs.</summary>
    public Guid? BenchmarkId { get; init; }
}

public sealed record BenchmarkStopped(bool Success, Guid BenchmarkId, BenchmarkState Status);

internal sealed class StopBenchmarkHandler(IBenchmarkRuns runs, ITransactionScope transaction, TimeProvider time) : ICommandHandler<StopBenchmarkCommand, BenchmarkStopped>
{
    public async Task<BenchmarkStopped> Handle(StopBenchmarkCommand command, CancellationToken cancellationToken)
    {
        var id = command.BenchmarkId ?? await runs.RunningAsync(cancellationToken) ?? throw new FogException(BenchmarksErrors.NoneRunning);
        if (!await runs.StopAsync(id, time.GetUtcNow(), cancellationToken))
            throw new FogException(await runs.FindAsync(id, cancellationToken) is null ? BenchmarksErrors.NotFound : BenchmarksErrors.NotRunning);
        transaction.SignalAfterCommit(BenchmarkTopics.Changed);
        return new BenchmarkStopped(true, id, BenchmarkState.Stopped);
    }
}
