using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace FogCompute.Application.Common.Security;

/// <summary>
/// A command that leaves an entry in the audit log when it succeeds. Names are those of properties of the answer or, where that has none of the
/// name, of the command; only what is named here is recorded, so a secret is never by accident.
/// </summary>
/// <param name="action">Stable dotted word, <c>module.what_happened</c>.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class AuditedAttribute(string action) : Attribute
{
    public string Action { get; } = action;

    /// <summary>Property with the id of what it was done to; null: the caller itself.</summary>
    public string? Subject { get; init; }

    /// <summary>Properties worth keeping; each becomes a member of <c>details</c>, null values are left out.</summary>
    public string[] Details { get; init; } = [];
}

/// <summary>Reads an audited command's subject and details; all names are resolved once per command type.</summary>
public sealed class AuditedFacts
{
    private readonly Func<object, object?, object?>? _subject;
    private readonly (string Name, Func<object, object?, object?> Read)[] _details;

    /// <exception cref="InvalidOperationException">The attribute names a property that neither has.</exception>
    public AuditedFacts(AuditedAttribute audited, Type command, Type answer)
    {
        Action = audited.Action;
        _subject = audited.Subject is { } subject ? Reader(subject, command, answer) : null;
        _details = [.. audited.Details.Select(name => (JsonNamingPolicy.SnakeCaseLower.ConvertName(name), Reader(name, command, answer)))];
    }

    public string Action { get; }

    public string? SubjectOf(object command, object? answer) => _subject is null ? null : Text(_subject(command, answer));

    public IReadOnlyDictionary<string, string>? DetailsOf(object command, object? answer)
    {
        if (_details.Length == 0)
            return null;
        var facts = new Dictionary<string, string>(_details.Length, StringComparer.Ordinal);
        foreach (var (name, read) in _details)
        {
            if (Text(read(command, answer)) is { } text)
                facts[name] = text;
        }
        return facts;
    }

    private static Func<object, object?, object?> Reader(string name, Type command, Type answer)
    {
        if (Property(answer, name) is { } ofAnswer)
            return (_, result) => result is null ? null : ofAnswer.GetValue(result);
        var ofCommand = Property(command, name) ?? throw new InvalidOperationException($"[Audited] on {command.Name} names '{name}', which neither it nor its answer has.");
        return (request, _) => ofCommand.GetValue(request);
    }

    private static PropertyInfo? Property(Type type, string name) => type.GetProperty(name, BindingFlags.Public | BindingFlags.Instance);

    private static string? Text(object? value) => value switch
    {
        null => null,
        string text => text,
        bool flag => flag ? "true" : "false",
        Enum word => JsonNamingPolicy.SnakeCaseLower.ConvertName(word.ToString()),
        DateTimeOffset at => at.ToString("O", CultureInfo.InvariantCulture),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        IEnumerable list => string.Join(' ', list.Cast<object?>().Select(Text)),
        _ => value.ToString(),
    };
}
