using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace FogCompute.Api.Http;

internal static class TelemetryLog
{
    /// <summary>Every line on stdout is one JSON object (<see cref="JsonLogFormatter"/>).</summary>
    public static ILoggingBuilder AddJsonLog(this ILoggingBuilder logging) =>
        logging.AddConsole(console => console.FormatterName = JsonLogFormatter.FormatterName).AddConsoleFormatter<JsonLogFormatter, ConsoleFormatterOptions>();
}

/// <summary>
/// One log entry, one line: <c>timestamp</c> (UTC), <c>level</c>, <c>event</c>, <c>module</c>, <c>message</c>, the values of the message by their names (<c>elapsed_ms</c> where something was
/// timed), <c>trace_id</c> and <c>span_id</c> where it happened within a request or use case, <c>exception</c>. The event is the first word of the message's template; templates of
/// libraries do not begin with one, so theirs is the name of the event in the same spelling.
/// </summary>
internal sealed class JsonLogFormatter(TimeProvider? time = null) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "fogcompute";

    private const string Template = "{OriginalFormat}";
    private static readonly string[] Reserved = ["timestamp", "level", "event", "module", "message", "trace_id", "span_id", "exception", "category"];

    private readonly TimeProvider _time = time ?? TimeProvider.System;

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var values = logEntry.State as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("timestamp", _time.GetUtcNow().UtcDateTime);
            json.WriteString("level", LevelOf(logEntry.LogLevel));
            json.WriteString("event", EventOf(values, logEntry.EventId));
            json.WriteString("module", ModuleOf(values, logEntry.Category));
            json.WriteString("category", logEntry.Category);
            json.WriteString("message", logEntry.Formatter(logEntry.State, logEntry.Exception));
            var written = new HashSet<string>(Reserved, StringComparer.Ordinal);
            foreach (var (name, value) in values)
            {
                if (name != Template && written.Add(name))
                    WriteValue(json, name, value);
            }
            if (Activity.Current is { } span)
            {
                json.WriteString("trace_id", span.TraceId.ToString());
                json.WriteString("span_id", span.SpanId.ToString());
            }
            if (logEntry.Exception is { } exception)
                json.WriteString("exception", exception.ToString());
            json.WriteEndObject();
        }
        textWriter.WriteLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null: json.WriteNull(name); break;
            case bool flag: json.WriteBoolean(name, flag); break;
            case int number: json.WriteNumber(name, number); break;
            case long number: json.WriteNumber(name, number); break;
            case double number when double.IsFinite(number): json.WriteNumber(name, Math.Round(number, 3)); break;
            case IFormattable formattable: json.WriteString(name, formattable.ToString(null, System.Globalization.CultureInfo.InvariantCulture)); break;
            default: json.WriteString(name, value.ToString()); break;
        }
    }

    private static string EventOf(IReadOnlyList<KeyValuePair<string, object?>> values, EventId id)
    {
        // The template comes last.
        if (values is [.., { Key: Template, Value: string template }])
        {
            var end = template.AsSpan().IndexOf(' ');
            var word = end < 0 ? template : template[..end];
            // Part of a word may be a value: embedded_database_{how}.
            foreach (var (name, value) in values)
                word = word.Replace($"{{{name}}}", value?.ToString(), StringComparison.Ordinal);
            if (word.Contains('_') && word.AsSpan().IndexOfAnyExcept(EventCharacters) < 0)
                return word;
        }
        return id.Name is { Length: > 0 } known ? JsonNamingPolicy.SnakeCaseLower.ConvertName(known) : "log";
    }

    /// <summary>FogCompute.LAYER.MODULE.… → module; a library is a module by its own first two names.</summary>
    private static string ModuleOf(IReadOnlyList<KeyValuePair<string, object?>> values, string category)
    {
        foreach (var (name, value) in values)
        {
            if (name == "module" && value is string module)
                return module;
        }
        var names = category.Split('.');
        return names switch
        {
            ["FogCompute", _, var module, _, ..] => module,
            ["FogCompute", .., var last] => last,
            [var first, var second, ..] => $"{first}.{second}",
            _ => category,
        };
    }

    private static readonly SearchValues<char> EventCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    private static string LevelOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "information",
        LogLevel.Warning => "warning",
        LogLevel.Error => "error",
        LogLevel.Critical => "critical",
        _ => "none",
    };
}
