using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FogCompute.Cli.Output;

/// <summary>Everything a command touches outside its own arguments: streams, environment, clock. Tests pass their own.</summary>
public sealed record CliHost
{
    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public required TextReader In { get; init; }

    /// <summary>Whether a person sees <see cref="Out"/>; only then are there live tables and progress bars.</summary>
    public bool OutIsTerminal { get; init; }
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Characters in a line of the terminal; null: ask it.</summary>
    public int? Columns { get; init; }

    /// <summary>Asks the person at the terminal for something without showing what they type; null: there is nobody to ask.</summary>
    public Func<string, string>? AskSecret { get; init; }
    public required Func<string, string?> Variable { get; init; }
    public required string CurrentDirectory { get; init; }
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Bytes that this user may still write to the disk of a folder that exists.</summary>
    public Func<string, long> FreeBytes { get; init; } = folder => new DriveInfo(folder).AvailableFreeSpace;

    /// <summary>The process's own console.</summary>
    public static CliHost System() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        In = Console.In,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        AskSecret = Console.IsInputRedirected ? null : ReadSecret,
        Variable = name => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
        CurrentDirectory = Environment.CurrentDirectory,
    };

    private static string ReadSecret(string prompt)
    {
        Console.Error.Write(prompt);
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is var key && key.Key != ConsoleKey.Enter)
        {
            if (key.Key != ConsoleKey.Backspace && key.KeyChar != '\0')
                typed.Append(key.KeyChar);
            else if (key.Key == ConsoleKey.Backspace && typed.Length > 0)
                typed.Length--;
        }
        Console.Error.WriteLine();
        return typed.ToString();
    }

    /// <summary>State of agents and of an embedded control plane: <c>FOG_HOME</c>, else <c>~/.fogcompute</c>.</summary>
    public string FogHome => Variable("FOG_HOME") is { } home
        ? Path.GetFullPath(home, CurrentDirectory)
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".fogcompute");
}

/// <summary>Where a command writes: results to stdout, everything about the way there to stderr; with <c>--json</c> stdout is one document.</summary>
public sealed class Terminal
{
    /// <summary>Width of tables when nobody's window limits them.</summary>
    private const int UnlimitedWidth = 10_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private bool _documentWritten;

    public Terminal(CliHost host, bool json)
    {
        Host = host;
        Json = json;
        // The convention of no-color.org: set and not empty means no colour, whatever the value.
        var colour = host.Variable("NO_COLOR") is not { Length: > 0 };
        Console = Create(host.Out, host.OutIsTerminal, colour, host.Columns);
        ErrorConsole = Create(host.Error, host.ErrorIsTerminal, colour, host.Columns);
    }

    public CliHost Host { get; }
    public bool Json { get; }
    public IAnsiConsole Console { get; }
    public IAnsiConsole ErrorConsole { get; }

    /// <summary>Whether live displays make sense: a person watches and did not ask for JSON.</summary>
    public bool Live => Host.OutIsTerminal && !Json;

    /// <summary>The one document of <c>--json</c>. A second one would break every reader, so it throws.</summary>
    public void Document(JsonNode? node)
    {
        if (_documentWritten)
            throw new InvalidOperationException("--json prints one document, this command tried to print a second.");
        _documentWritten = true;
        Host.Out.WriteLine(node?.ToJsonString(Indented) ?? "null");
    }

    public bool DocumentWritten => _documentWritten;

    /// <summary>A line of the result; nothing with <c>--json</c>.</summary>
    public void Line(string text = "")
    {
        if (!Json)
            Host.Out.WriteLine(ForPerson(text));
    }

    /// <summary>A line of the result with Spectre markup; the values in it must be escaped.</summary>
    public void Markup(string markup)
    {
        if (!Json)
            Console.MarkupLine(markup);
    }

    public void Table(Table table)
    {
        if (!Json)
            Console.Write(table);
    }

    /// <summary>Whether the table fits the window unwrapped; where nobody's window limits it, every table does.</summary>
    public bool Fits(Table table) => ((IRenderable)table).Measure(RenderOptions.Create(Console, Console.Profile.Capabilities), UnlimitedWidth).Max <= Console.Profile.Width;

    /// <summary>A remark about the way there, on stderr; nothing with <c>--json</c>.</summary>
    public void Note(string text)
    {
        if (!Json)
            Host.Error.WriteLine(text);
    }

    /// <summary>An error for a person on stderr, and with <c>--json</c> the same as the document on stdout.</summary>
    public void Failure(CliException error)
    {
        ErrorConsole.MarkupLineInterpolated($"[red]error:[/] {Sanitize(error.Message)}");
        foreach (var line in error.Detail)
            Host.Error.WriteLine("  " + Sanitize(line));
        if (error.Next is not null)
            ErrorConsole.MarkupLineInterpolated($"[yellow]next:[/]  {error.Next}");
        if (Json && !_documentWritten)
        {
            Document(new JsonObject
            {
                ["error"] = new JsonObject
                {
                    ["message"] = error.Message,
                    ["exitCode"] = error.ExitCode,
                    ["next"] = error.Next,
                    ["detail"] = new JsonArray([.. error.Detail.Select(line => (JsonNode)line)]),
                    ["problem"] = error.Problem?.DeepClone(),
                },
            });
        }
    }

    /// <summary>Text that came from a job or a server, made harmless for a terminal: no escape sequences, no control characters but tab and newline.</summary>
    public static string Sanitize(string text)
    {
        if (!text.Any(c => char.IsControl(c) && c is not '\n' and not '\t'))
            return text;
        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!char.IsControl(c) || c is '\n' or '\t')
                clean.Append(c);
            else if (c != '\r')
                clean.Append('\uFFFD');
        }
        return clean.ToString();
    }

    /// <summary>As written when a program reads it, harmless when a person does.</summary>
    public string ForPerson(string text) => Host.OutIsTerminal ? Sanitize(text) : text;

    public static Table NewTable(params ReadOnlySpan<string> columns)
    {
        var table = new Table { Border = TableBorder.Simple, ShowHeaders = true };
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { NoWrap = true });
        return table;
    }

    private static IAnsiConsole Create(TextWriter writer, bool terminal, bool colour, int? columns)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal && colour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            // The library's own enrichers look at variables of build servers and would switch escapes on where nobody asked.
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
        if (!terminal || columns is not null)
            console.Profile.Width = terminal ? columns!.Value : UnlimitedWidth;
        return console;
    }
}
