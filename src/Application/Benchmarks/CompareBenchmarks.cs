using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Benchmarks;

// GET /api/benchmarks/compare?a=&b=
// b relative to a, measure by measure, and what differs between their machines. Without ids: the newest that ended and the one of its type before it.

/// <summary>Compare two benchmarks of the same type; without ids the last two.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record CompareBenchmarksQuery : IQuery<BenchmarkComparison>
{
    /// <summary>What is compared with. Absent: the last of b's type before b.</summary>
    public Guid? A { get; init; }

    /// <summary>What is compared. Absent: the newest that ended.</summary>
    public Guid? B { get; init; }
}

/// <param name="SameMachine">Whether nothing that is known of the machines differs.</param>
public sealed record BenchmarkComparison(BenchmarkItem A, BenchmarkItem B, IReadOnlyList<MeasureRatio> Measures, bool SameMachine, IReadOnlyList<MachineDifference> MachineDifferences);

/// <summary>b ÷ a of each figure; null where one of them is missing or a is 0. Of times, less than 1 is faster; of rates, more than 1.</summary>
public sealed record MeasureRatio(string Name, string Unit, double? P50, double? P95, double? P99, double? Mean, double? Rate);

public sealed record MachineDifference(string Field, string? A, string? B);

internal sealed class CompareBenchmarksHandler(IBenchmarkRuns runs) : IQueryHandler<CompareBenchmarksQuery, BenchmarkComparison>
{
    private const int Looked = 500;

    public async Task<BenchmarkComparison> Handle(CompareBenchmarksQuery query, CancellationToken cancellationToken)
    {
        var b = query.B is { } second ? await RequireAsync(second, cancellationToken) : await LastAsync(null, null, query.A, cancellationToken);
        var a = query.A is { } first ? await RequireAsync(first, cancellationToken) : await LastAsync(b.Type, b, null, cancellationToken);
        if (a.Type != b.Type)
            throw BenchmarksErrors.DifferentTypes.On("b");
        var differences = Differences(a.Machine, b.Machine).ToList();
        return new BenchmarkComparison(BenchmarkItem.Of(a), BenchmarkItem.Of(b), [.. Ratios(a, b)], differences.Count == 0, differences);
    }

    private async Task<BenchmarkRun> RequireAsync(Guid id, CancellationToken cancel)
    {
        var run = await runs.FindAsync(id, cancel) ?? throw new FogException(BenchmarksErrors.NotFound);
        return run.State == BenchmarkState.Running ? throw new FogException(BenchmarksErrors.StillRunning) : run;
    }

    private async Task<BenchmarkRun> LastAsync(BenchmarkType? type, BenchmarkRun? before, Guid? butNot, CancellationToken cancel) =>
        (await runs.NewestAsync(type, Looked, cancel)).FirstOrDefault(r => r.State is BenchmarkState.Completed or BenchmarkState.Stopped && r.Id != butNot && (before is null || (r.Id != before.Id && r.Started <= before.Started)))
        ?? throw new FogException(BenchmarksErrors.NothingToCompare);

    private static IEnumerable<MeasureRatio> Ratios(BenchmarkRun a, BenchmarkRun b) =>
        from left in a.Summary
        join right in b.Summary on (left.Name, left.Unit) equals (right.Name, right.Unit)
        select new MeasureRatio(left.Name, left.Unit, Ratio(left.P50, right.P50), Ratio(left.P95, right.P95), Ratio(left.P99, right.P99), Ratio(left.Mean, right.Mean), Ratio(left.Rate, right.Rate));

    private static double? Ratio(double? a, double? b) => a is { } from && b is { } to && from != 0 ? Math.Round(to / from, 4) : null;

    private static IEnumerable<MachineDifference> Differences(MachineDescription? a, MachineDescription? b)
    {
        (string Field, string? A, string? B)[] fields =
        [
            ("cpu", a?.Cpu, b?.Cpu), ("cores", Text(a?.Cores), Text(b?.Cores)), ("memory", Text(a?.Memory), Text(b?.Memory)), ("kernel", a?.Kernel, b?.Kernel), ("disk", a?.Disk, b?.Disk), ("version", a?.Version, b?.Version),
        ];
        return fields.Where(f => f.A != f.B).Select(f => new MachineDifference(f.Field, f.A, f.B));
    }

    private static string? Text(long? number) => number?.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
