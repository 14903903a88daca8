using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using FogCompute.Cli.Commands;
using FogCompute.Cli.Commands.Dao;
using FogCompute.Cli.Output;
using FogCompute.Cli.Server;

namespace FogCompute.Cli;

/// <summary>The command tree of <c>fog</c> and the one place where failures become exit codes.</summary>
public static class FogCommandLine
{
    // '@' and bundled letters belong to the commands people submit, not to us.
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    /// <summary>Runs one command line; never throws.</summary>
    /// <returns>One of <see cref="ExitCodes"/>, or the code of the agent for <c>fog node start</c>.</returns>
    public static async Task<int> RunAsync(string[] args, CliHost host, CancellationToken cancel)
    {
        var globals = new GlobalOptions(host);
        var root = Create(globals);
        var parse = root.Parse(args, Parser);
        var json = args.TakeWhile(a => a != "--").Contains("--json");
        var mistakes = parse.Action is ExampleHelp ? [] : parse.Errors.Select(e => e.Message).Concat(UnknownOptions(parse)).ToList();
        if (mistakes.Count > 0)
        {
            var path = string.Join(' ', parse.CommandResult.Command.PathFromRoot());
            new Terminal(host, json).Failure(new CliException(ExitCodes.Usage, mistakes[0], $"See: {path} --help", [.. mistakes.Skip(1)]));
            return ExitCodes.Usage;
        }
        var configuration = new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        try
        {
            return await parse.InvokeAsync(configuration, cancel);
        }
        catch (CliException error)
        {
            new Terminal(host, json).Failure(error);
            return error.ExitCode;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await host.Error.WriteLineAsync("Interrupted.");
            return ExitCodes.Interrupted;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            new Terminal(host, json).Failure(new CliException(ExitCodes.Error, error.Message, "Check the path, its permissions and the free space."));
            return ExitCodes.Error;
        }
        catch (Exception error)
        {
            new Terminal(host, json).Failure(new CliException(ExitCodes.Error, $"Unexpected: {error.Message}",
                "This is a defect of the fog command; please report it with the lines above.", [.. error.ToString().Split('\n')]));
            return ExitCodes.Error;
        }
    }

    /// <summary>The whole tree; also used to complete a line.</summary>
    internal static Command Create(GlobalOptions globals)
    {
        var version = new Option<bool>("--version") { Description = "Print the version" };
        var root = new FogCommand("fog", "Turns idle machines into one batch-compute pool.",
            "fog demo", "fog up", "fog run --count 3 --follow -- sh -c 'echo task $FOG_TASK_INDEX'")
        {
            globals.Server, globals.Token, globals.Json, version,
            DemoCommand.Create(globals),
            UpCommand.Create(globals),
            LoginCommands.Login(globals),
            LoginCommands.Logout(globals),
            LoginCommands.WhoAmI(globals),
            RunCommand.Create(globals),
            QuoteCommand.Create(globals),
            JobCommands.Create(globals),
            PlanCommand.Create(globals),
            NodeCommands.Create(globals),
            EventsCommand.Create(globals),
            LedgerCommand.Create(globals),
            StatementCommand.Create(globals),
            StakeCommands.Stake(globals),
            StakeCommands.Unstake(globals),
            StakeCommands.Claim(globals),
            StakeCommands.Stakes(globals),
            StakeCommands.Rewards(globals),
            SlashCommands.Create(globals),
            ProposalCommands.Create(globals),
            VoteCommands.Propose(globals),
            VoteCommands.Vote(globals),
            VoteCommands.Delegate(globals),
            ParametersCommand.Create(globals),
            BenchmarkCommand.Create(globals),
            OpsCommands.Create(globals),
            DoctorCommand.Create(globals),
            CompletionCommand.Create(globals),
            CompletionCommand.CreateComplete(globals),
        };
        var help = new HelpOption("--help", "-h");
        help.Action = new ExampleHelp((HelpAction)help.Action!);
        root.Add(help);
        root.SetAction(parse =>
        {
            if (!parse.GetValue(version))
                return help.Action is ExampleHelp action ? action.Invoke(parse) : ExitCodes.Usage;
            globals.Host.Out.WriteLine($"fog {typeof(FogCommandLine).Assembly.GetName().Version?.ToString(3)}");
            return ExitCodes.Ok;
        });
        return root;
    }

    /// <summary>
    /// Misspelt options. The parser takes an unknown <c>--word</c> for an argument where a command accepts any, so a slip would be submitted as
    /// part of somebody's command; behind <c>--</c> everything is an argument.
    /// </summary>
    private static IEnumerable<string> UnknownOptions(ParseResult parse)
    {
        var arguments = parse.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).ToHashSet(ReferenceEqualityComparer.Instance);
        return parse.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash)
            .Where(t => t.Value is ['-', _, ..] && arguments.Contains(t))
            .Select(t => $"There is no option '{t.Value}' here. Options of your own command go after --.");
    }

    private static IEnumerable<string> PathFromRoot(this Command command) =>
        (command.Parents.OfType<Command>().FirstOrDefault()?.PathFromRoot() ?? []).Append(command.Name);
}

/// <summary>Options every command understands.</summary>
public sealed class GlobalOptions(CliHost host)
{
    public CliHost Host { get; } = host;

    public Option<string?> Server { get; } = new("--server")
    {
        Description = $"Control plane to talk to (also FOG_SERVER; default {FogServer.DefaultUrl})",
        HelpName = "URL",
        Recursive = true,
    };

    public Option<string?> Token { get; } = new("--token") { Description = "Bearer token or API key (also FOG_TOKEN; default: the login of fog login)", HelpName = "TOKEN", Recursive = true };
    public Option<bool> Json { get; } = new("--json") { Description = "Print one JSON document instead of text", Recursive = true };
}

/// <summary>One run of a command: its arguments, its terminal and, when it needs one, its server.</summary>
public sealed class Invocation(GlobalOptions globals, ParseResult parse, CancellationToken cancel) : IDisposable
{
    private FogServer? _server;

    public CliHost Host => globals.Host;
    public Terminal Terminal { get; } = new(globals.Host, parse.GetValue(globals.Json));
    public CancellationToken Cancel => cancel;

    public T? Get<T>(Option<T> option) => parse.GetValue(option);
    public T Get<T>(Argument<T> argument) => parse.GetRequiredValue(argument);
    public T? GetOptional<T>(Argument<T?> argument) => parse.GetValue(argument);

    /// <summary>Whether the option stands on the command line, not only its default.</summary>
    public bool IsGiven(Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>Whether there is a <c>--</c>, behind which a command of the caller's stands.</summary>
    public bool HasDoubleDash => parse.Tokens.Any(t => t.Type == TokenType.DoubleDash);

    /// <summary><c>--server</c>, else FOG_SERVER, else the default.</summary>
    public Uri ServerAddress
    {
        get
        {
            var text = parse.GetValue(globals.Server) ?? Host.Variable("FOG_SERVER") ?? FogServer.DefaultUrl;
            return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? uri
                : throw new CliException(ExitCodes.Usage, $"'{text}' is no server address.", "Write it like http://127.0.0.1:8000");
        }
    }

    public string? Token => parse.GetValue(globals.Token) ?? Host.Variable("FOG_TOKEN");
    public FogServer Server => _server ??= new FogServer(ServerAddress, Token, new SavedLogins(Host));

    public void Dispose() => _server?.Dispose();
}

/// <summary>A command whose help ends with examples.</summary>
internal sealed class FogCommand(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>Sets what the command does.</summary>
    public FogCommand Runs(GlobalOptions globals, Func<Invocation, Task<int>> run)
    {
        SetAction(async (parse, cancel) =>
        {
            using var invocation = new Invocation(globals, parse, cancel);
            return await run(invocation);
        });
        return this;
    }
}

/// <summary>The usual help, then the command's examples.</summary>
internal sealed class ExampleHelp(HelpAction inner) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        inner.Invoke(parseResult);
        if (parseResult.CommandResult.Command is FogCommand { Examples.Count: > 0 } command)
        {
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine(command.Examples.Count == 1 ? "Example:" : "Examples:");
            foreach (var example in command.Examples)
                output.WriteLine("  " + example);
            output.WriteLine();
        }
        return ExitCodes.Ok;
    }
}
