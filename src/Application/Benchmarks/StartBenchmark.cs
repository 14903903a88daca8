using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Benchmarks;

// POST /api/benchmarks/start
// Writes the run down and wakes the control planes, one of which begins it. One at a time over all of them; otherwise 409.

/// <summary>Start a benchmark of this system; one runs at a time.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record StartBenchmarkCommand : ICommand<BenchmarkStarted>
{
    /// <summary>latency: round trips to database, cache and a device; throughput: artifact transfers and job dispatch; stress: a bounded load on this machine.</summary>
    public required BenchmarkType Type { get; init; }

    /// <summary>Seconds, 1–3600. Default 60.</summary>
    public int Duration { get; init; } = 60;
}

public sealed record BenchmarkStarted(bool Success, Guid BenchmarkId, BenchmarkType Type, BenchmarkState Status);

internal sealed class StartBenchmarkValidator : AbstractValidator<StartBenchmarkCommand>
{
    public StartBenchmarkValidator()
    {
        RuleFor(c => c.Type).IsInEnum();
        RuleFor(c => c.Duration).InclusiveBetween(1, 3600);
    }
}

internal sealed class StartBenchmarkHandler(IBenchmarkRuns runs, CallerContext context, ITransactionScope transaction, TimeProvider time) : ICommandHandler<StartBenchmarkCommand, BenchmarkStarted>
{
    public async Task<BenchmarkStarted> Handle(StartBenchmarkCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        await runs.InterruptSilentAsync(cancellationToken);
        if (!await runs.StartAsync(id, command.Type, command.Duration, context.Caller.Account.Value, now, cancellationToken))
            throw new FogException(BenchmarksErrors.AlreadyRunning);
        transaction.SignalAfterCommit(BenchmarkTopics.Changed);
        return new BenchmarkStarted(true, id, command.Type, BenchmarkState.Running);
    }
}

/// <summary>Wakes those who run benchmarks.</summary>
public static class BenchmarkTopics
{
    /// <summary>One was started or stopped.</summary>
    public const string Changed = "benchmarks";
}
