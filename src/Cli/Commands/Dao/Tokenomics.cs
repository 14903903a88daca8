using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace FogCompute.Cli.Commands.Dao;

/// <summary>What the commands about credits share: their routes, and how amounts, days and accounts are written on the command line.</summary>
internal static class Tokenomics
{
    public const string Root = "api/tokenomics/";

    public static Argument<decimal> Amount(string description) => new("amount")
    {
        Description = description + ": above 0, at most six decimals",
        CustomParser = result =>
        {
            if (TryParse(result.Tokens[0].Value, out var amount))
                return amount;
            result.AddError($"'{result.Tokens[0].Value}' is no amount of credits. Write it like 12.5: above 0, at most six decimals.");
            return 0;
        },
    };

    /// <summary>Credits as people write them; false when it is not above 0, or finer than a micro-credit.</summary>
    public static bool TryParse(string text, out decimal amount) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out amount) && amount > 0 && decimal.Round(amount, 6) == amount;

    /// <summary>Whose figures to read; own ones by default.</summary>
    public static Option<string?> Address() => new("--address") { Description = "Of this account (default: your own; another's only for operators)", HelpName = "ADDRESS" };

    /// <summary>Under one key it happens once, however often it is sent.</summary>
    public static Option<string?> Key() => new("--idempotency-key") { Description = "The same key never moves twice (default: a new one)", HelpName = "KEY" };

    /// <summary>A UTC day or an instant.</summary>
    /// <param name="name">Of the option.</param>
    /// <param name="description">What it limits.</param>
    /// <param name="throughDay">Whether a day means its end instead of its beginning.</param>
    public static Option<DateTimeOffset?> Instant(string name, string description, bool throughDay) => new(name)
    {
        Description = description,
        HelpName = "DAY",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
                return new DateTimeOffset(day.AddDays(throughDay && day < DateOnly.MaxValue ? 1 : 0), TimeOnly.MinValue, TimeSpan.Zero);
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant))
                return instant.ToUniversalTime();
            result.AddError($"{name}: '{text}' is no day. Write it like 2026-01-31, or an instant like 2026-01-31T12:00:00Z (UTC).");
            return null;
        },
    };

    /// <summary>The route with those query fields that have a value.</summary>
    public static string Path(string route, params IEnumerable<(string Name, string? Value)> fields)
    {
        var query = string.Join('&', fields.Where(f => f.Value is not null).Select(f => $"{f.Name}={Uri.EscapeDataString(f.Value!)}"));
        return Root + route + (query.Length > 0 ? "?" + query : "");
    }

    public static string? Iso(DateTimeOffset? instant) => instant?.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    /// <summary><c>wrong_result</c> and <c>earningsByDevice</c> as words.</summary>
    public static string Words(string? name) =>
        name is null ? "–" : string.Concat(name.Select((c, i) => c == '_' ? " " : char.IsAsciiLetterUpper(c) && i > 0 ? " " + char.ToLowerInvariant(c) : c.ToString()));
}
