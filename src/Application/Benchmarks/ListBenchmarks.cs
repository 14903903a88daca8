using FluentValidation;
using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Benchmarks;

// GET /api/benchmarks/history?type=&limit=100
// Benchmarks that ran, newest first, each with what it measured and on what machine.

/// <summary>Benchmarks that ran, newest first, with what they measured and on what machine.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListBenchmarksQuery : IQuery<BenchmarkList>
{
    /// <summary>Only latency, throughput or stress.</summary>
    public string? Type { get; init; }

    /// <summary>1–500.</summary>
    public int Limit { get; init; } = 100;
}

/// <param name="Total">How many match, shown or not; the newest 500 are kept.</param>
public sealed record BenchmarkList(IReadOnlyList<BenchmarkItem> Benchmarks, int Total);

/// <param name="Duration">Seconds asked for.</param>
/// <param name="Ran">Seconds it ran; null while it runs.</param>
/// <param name="Machine">The machine of the control plane that ran it; null: none had begun.</param>
/// <param name="Why">Of an end that is neither completed nor stopped.</param>
public sealed record BenchmarkItem(
    Guid BenchmarkId, BenchmarkType Type, BenchmarkState Status, DateTimeOffset Started, DateTimeOffset? Ended, int Duration, double? Ran, MachineDescription? Machine, IReadOnlyList<BenchmarkMeasure> Summary, string? Why)
{
    internal static BenchmarkItem Of(BenchmarkRun run) => new(
        run.Id, run.Type, run.State, run.Started, run.Ended, run.Seconds, run.Ended is { } end ? Math.Round(Math.Max(0, (end - run.Started).TotalSeconds), 3) : null, run.Machine, run.Summary, run.Why);
}

internal sealed class ListBenchmarksValidator : AbstractValidator<ListBenchmarksQuery>
{
    internal static readonly IReadOnlyDictionary<string, BenchmarkType> Words = Enum.GetValues<BenchmarkType>().ToDictionary(t => t.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    public ListBenchmarksValidator()
    {
        RuleFor(q => q.Type).Must(t => t is null || Words.ContainsKey(t)).WithMessage($"must be one of {string.Join(", ", Words.Keys)}.");
        RuleFor(q => q.Limit).InclusiveBetween(1, 500);
    }
}

internal sealed class ListBenchmarksHandler(IBenchmarkRuns runs) : IQueryHandler<ListBenchmarksQuery, BenchmarkList>
{
    public async Task<BenchmarkList> Handle(ListBenchmarksQuery query, CancellationToken cancellationToken)
    {
        BenchmarkType? type = query.Type is null ? null : ListBenchmarksValidator.Words[query.Type];
        var newest = await runs.NewestAsync(type, query.Limit, cancellationToken);
        return new BenchmarkList([.. newest.Select(BenchmarkItem.Of)], await runs.CountAsync(type, cancellationToken));
    }
}
