using System.Globalization;
using System.Text.Json;

namespace FogCompute.Node;

/// <summary>Log lines of the agent: one line each, text or JSON, with an event word and fields. Debug lines only when asked for.</summary>
public sealed class NodeLog(TextWriter output, bool json, bool debug, TimeProvider clock)
{
    private readonly Lock _gate = new();

    /// <summary>Drops everything; for tools that only read state.</summary>
    public static NodeLog None { get; } = new(TextWriter.Null, false, false, TimeProvider.System);

    public bool DebugEnabled => debug;

    public void Debug(string @event, string message, params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        if (debug)
            Write("debug", @event, message, fields);
    }

    public void Info(string @event, string message, params ReadOnlySpan<(string Name, object? Value)> fields) => Write("info", @event, message, fields);
    public void Warning(string @event, string message, params ReadOnlySpan<(string Name, object? Value)> fields) => Write("warning", @event, message, fields);
    public void Error(string @event, string message, params ReadOnlySpan<(string Name, object? Value)> fields) => Write("error", @event, message, fields);

    private void Write(string level, string @event, string message, ReadOnlySpan<(string Name, object? Value)> fields)
    {
        var time = clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        string line;
        if (json)
        {
            var entry = new Dictionary<string, object?> { ["time"] = time, ["level"] = level, ["event"] = @event, ["message"] = message };
            foreach (var (name, value) in fields)
                entry[name] = value;
            line = JsonSerializer.Serialize(entry);
        }
        else
        {
            var parts = new List<string> { time, level, message };
            foreach (var (name, value) in fields)
                if (value is not null)
                    parts.Add($"{name}={value}");
            line = string.Join(' ', parts).ReplaceLineEndings(" ");
        }
        lock (_gate)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }
}
