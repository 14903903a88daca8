using System.Globalization;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Api.Http;

/// <summary>The founder's settings from the environment: <c>FOG_PARAMETERS=pricing.core_hour_micro=200000,governance.delay_seconds=2</c>.</summary>
internal static class ParameterSettings
{
    private const string Key = "FOG_PARAMETERS";

    /// <exception cref="ConfigurationException">A parameter is unknown, named twice or outside the founder's range.</exception>
    public static FoundersParameters Read(IConfiguration settings)
    {
        var values = new Dictionary<ParameterDefinition, long>();
        foreach (var part in (settings[Key] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (name, text) = part.Split('=', 2, StringSplitOptions.TrimEntries) is [var left, var right]
                ? (left, right)
                : throw new ConfigurationException($"{Key} contains '{part}'; it is a list of name=value, separated by commas.");
            var parameter = ParameterCatalogue.Find(name)
                ?? throw new ConfigurationException($"{Key} names '{name}', which is no parameter; docs/economics.md and GET /api/tokenomics/parameters list them.");
            if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < parameter.FounderMin || value > parameter.Max)
                throw new ConfigurationException($"{Key} sets {name} to '{text}'; allowed is a whole number ({parameter.Unit}) from {parameter.FounderMin} to {parameter.Max}.");
            if (!values.TryAdd(parameter, value))
                throw new ConfigurationException($"{Key} names {name} twice.");
        }
        return new FoundersParameters(values);
    }
}
