using System.CommandLine;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog completion SHELL</c> prints a script that asks <c>fog complete</c> on every TAB, so it is never out of date.</summary>
internal static class CompletionCommand
{
    private const string Bash =
        """
        # fog completion for bash. Install: fog completion bash > ~/.local/share/bash-completion/completions/fog
        _fog_complete() {
            local IFS=$'\n'
            COMPREPLY=($("${COMP_WORDS[0]}" complete --position "$COMP_POINT" "$COMP_LINE" 2>/dev/null))
        }
        complete -o default -F _fog_complete fog ./fog

        """;

    private const string Zsh =
        """
        #compdef fog ./fog
        # fog completion for zsh. Install: put it as _fog into a folder of $fpath, or: source <(fog completion zsh)
        _fog() {
            local line="${(j: :)words[1,CURRENT]}"
            local -a candidates
            candidates=("${(@f)$("${words[1]}" complete --position "${#line}" "$line" 2>/dev/null)}")
            candidates=(${candidates:#})
            if (( ${#candidates} )); then compadd -a candidates; else _files; fi
        }
        if [ "${funcstack[1]}" = "_fog" ]; then _fog "$@"; else compdef _fog fog ./fog; fi

        """;

    private const string Fish =
        """
        # fog completion for fish. Install: fog completion fish > ~/.config/fish/completions/fog.fish
        function __fog_complete
            set -l line (commandline -cp)
            fog complete --position (string length -- "$line") "$line" 2>/dev/null
        end
        complete -c fog -a '(__fog_complete)'

        """;

    public static FogCommand Create(GlobalOptions globals)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new FogCommand("completion", "Print a completion script for your shell.", "fog completion bash > ~/.local/share/bash-completion/completions/fog", "source <(fog completion zsh)") { shell };
        return command.Runs(globals, invocation =>
        {
            invocation.Host.Out.Write(invocation.Get(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return Task.FromResult(ExitCodes.Ok);
        });
    }

    /// <summary>What the scripts call: candidates for the word at a position of a line, one per line.</summary>
    public static FogCommand CreateComplete(GlobalOptions globals)
    {
        var position = new Option<int?>("--position") { Description = "Cursor, characters from the start of the line" };
        var line = new Argument<string>("line") { Description = "The line as typed so far, with the program's name" };
        var command = new FogCommand("complete", "Print completions for a line (used by the shells).", "fog complete --position 9 'fog job s'")
        {
            position, line,
        };
        command.Hidden = true;
        return command.Runs(globals, invocation =>
        {
            var text = invocation.Get(line);
            var at = Math.Clamp(invocation.Get(position) ?? text.Length, 0, text.Length);
            text = text[..at];
            // The program may have been called by any path; the parser knows it as "fog".
            var blank = text.IndexOf(' ', StringComparison.Ordinal);
            var typed = "fog" + (blank < 0 ? "" : text[blank..]);
            foreach (var item in FogCommandLine.Create(globals).Parse(typed).GetCompletions(typed.Length))
                invocation.Host.Out.WriteLine(item.Label);
            return Task.FromResult(ExitCodes.Ok);
        });
    }
}
