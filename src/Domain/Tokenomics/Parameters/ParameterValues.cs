namespace FogCompute.Domain.Tokenomics.Parameters;

/// <summary>The values in force at one moment.</summary>
/// <param name="Version">Counts changes; 0: all defaults. Settlements name it as the version of the formula that priced them.</param>
/// <param name="Changed">Values that differ from the default, by name.</param>
public sealed record ParameterValues(long Version, IReadOnlyDictionary<string, long> Changed)
{
    public static readonly ParameterValues Defaults = new(0, new Dictionary<string, long>());

    public long this[ParameterDefinition parameter] => Changed.TryGetValue(parameter.Name, out var value) ? value : parameter.Default;

    public bool IsOn(ParameterDefinition flag) => this[flag] != 0;

    public TimeSpan Span(ParameterDefinition seconds) => TimeSpan.FromSeconds(this[seconds]);
}
