using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

// GET /api/tokenomics/parameters
// Every tunable of the pool: what it is, what is in force, what a proposal may set, and who decided the value.

[RequiresPermission(Permissions.Public)]
public sealed record ListParametersQuery : IQuery<ParameterList>;

/// <param name="Version">Counts changes; 0: all defaults. Settlements name it.</param>
/// <param name="Parameters">Grouped, in the order people read them.</param>
public sealed record ParameterList(long Version, IReadOnlyList<ParameterItem> Parameters);

public sealed record ParameterItem
{
    public required string Name { get; init; }

    /// <summary>micro_credits (millionths of a credit), basis_points (hundredths of a percent), tenths (of a multiplier), seconds, count, or flag (0 off, 1 on).</summary>
    public required string Unit { get; init; }

    /// <summary>In force, in its unit.</summary>
    public required long Value { get; init; }
    public required long Default { get; init; }

    /// <summary>Least and greatest value that a proposal may set.</summary>
    public required long Min { get; init; }
    public required long Max { get; init; }
    public required string Meaning { get; init; }

    /// <summary>When the value in force was set; null: it is the default.</summary>
    public DateTimeOffset? ChangedAt { get; init; }

    /// <summary>The proposal that decided it; null: the default, or set by the founder at the first start.</summary>
    public string? Proposal { get; init; }

    /// <summary>Its latest changes, at most 1000, newest first; null in the list of all.</summary>
    public IReadOnlyList<ParameterStep>? History { get; init; }

    internal static ParameterItem Of(ParameterDefinition parameter, ParameterChange? latest) => new()
    {
        Name = parameter.Name, Unit = LedgerWords.Of(parameter.Unit), Value = latest?.Value ?? parameter.Default, Default = parameter.Default,
        Min = parameter.Min, Max = parameter.Max, Meaning = parameter.Meaning, ChangedAt = latest?.At, Proposal = latest?.Proposal,
    };
}

/// <param name="Version">Of all parameters, from this change on.</param>
/// <param name="Proposal">What decided it; null: the founder at the first start.</param>
public sealed record ParameterStep(long Version, long Previous, long Value, string? Proposal, DateTimeOffset At);

internal sealed class ListParametersHandler(IParameterBook book) : IQueryHandler<ListParametersQuery, ParameterList>
{
    public async Task<ParameterList> Handle(ListParametersQuery query, CancellationToken cancellationToken)
    {
        // From the record and not from the values in force: so version, values and who set them are of one moment.
        var changes = await book.HistoryAsync(name: null, int.MaxValue, cancellationToken);
        var latest = changes.GroupBy(c => c.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.MaxBy(c => c.Version)!, StringComparer.Ordinal);
        return new ParameterList(changes.Count == 0 ? 0 : changes[0].Version, [.. ParameterCatalogue.All.Select(p => ParameterItem.Of(p, latest.GetValueOrDefault(p.Name)))]);
    }
}
