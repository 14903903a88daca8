using System.Text.Json;
using System.Text.RegularExpressions;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>Property paths as the caller wrote them: <c>Payload.MaxPrice[2]</c> → <c>payload.max_price[2]</c>.</summary>
public static partial class WireNames
{
    public static string Of(string propertyPath) => Name().Replace(propertyPath, m => JsonNamingPolicy.SnakeCaseLower.ConvertName(m.Value));

    [GeneratedRegex("[A-Za-z][A-Za-z0-9]*", RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
