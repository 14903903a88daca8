using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// A small shell that stands ready inside a control group and a network namespace of its own and starts one sandbox after the other. Entering a group and
/// making a network namespace cost more than the rest of a sandbox together, and a shell forks faster than the agent. What a payload can see and do
/// is set up anew for each by bubblewrap; of the launcher it gets nothing but the empty network, which it shares with no other attempt at the same time.
/// </summary>
/// <remarks>The requester's words are data of the constant script throughout: it reads them into positional parameters and never evaluates them.</remarks>
internal sealed class Launcher(SandboxProcess process, SandboxNotes notes, bool network) : IAsyncDisposable
{
    /// <summary>
    /// Parameters: system call filter or empty. Descriptors: 7 options, 8 status, 9 input. A request is lines: begin and end token, largest file in 512-byte
    /// blocks, most processes or empty, 1 if there is input, number of words, and each word as its number of lines and these. The answer goes to both
    /// streams: the begin token in a line, what the command writes, the end token with the exit code as JSON.
    /// </summary>
    public const string Script = """
        filter=$1 newline='
        '
        while IFS= read -r begin; do
            IFS= read -r end; IFS= read -r blocks; IFS= read -r processes; IFS= read -r input; IFS= read -r words
            set --
            while [ "$words" -gt 0 ]; do
                IFS= read -r lines; IFS= read -r word
                while [ "$lines" -gt 1 ]; do IFS= read -r line; word="$word$newline$line"; lines=$((lines - 1)); done
                set -- "$@" "$word"
                words=$((words - 1))
            done
            echo "$begin"; echo "$begin" >&2
            (
                ulimit -c 0
                ulimit -f "$blocks" || exit 125
                if [ -n "$processes" ]; then ulimit -p "$processes" 2>/dev/null || ulimit -u "$processes" || exit 125; fi
                echo 1000 > /proc/self/oom_score_adj
                exec 3> /proc/self/fd/8 4< /proc/self/fd/7
                [ -z "$filter" ] || exec 5< "$filter"
                if [ -n "$input" ]; then exec < /proc/self/fd/9; else exec < /dev/null; fi
                exec 7<&- 8>&- 9<&-
                exec "$@"
            )
            code=$?
            echo "$end{\"exit\":$code}"; echo "$end{\"exit\":$code}" >&2
        done
        """;

    /// <summary>Processes that stand by while nothing runs: bubblewrap around the launcher, and its shell.</summary>
    public const int OwnProcesses = 2;

    public SandboxProcess Process => process;

    public bool Network => network;

    /// <summary>Timestamp of its last use.</summary>
    public long LastUse { get; set; }

    /// <summary>Where in both streams the payload's own output begins and ends, and the bytes of memory that were in use before it.</summary>
    public readonly record struct Marks(byte[] Begin, byte[] End, long Baseline);

    /// <summary>Hands over one command; it starts at once. Throws <see cref="IOException"/> when the launcher is gone.</summary>
    /// <param name="options">Of bubblewrap.</param>
    /// <param name="words">The whole command line.</param>
    /// <param name="blocks">Largest file, in 512-byte blocks.</param>
    /// <param name="processes">Most processes of the user; null where the control group counts.</param>
    /// <param name="baseline">Memory in use now, bytes.</param>
    public async Task<Marks> StartAsync(IEnumerable<string> options, string? input, IReadOnlyList<string> words, long blocks, int? processes, long baseline)
    {
        notes.Write(options, input);
        string begin = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)), end = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        var request = new StringBuilder();
        request.Append(CultureInfo.InvariantCulture, $"{begin}\n{end}\n{blocks}\n{processes}\n{(string.IsNullOrEmpty(input) ? "" : "1")}\n{words.Count}\n");
        foreach (var word in words)
            request.Append(CultureInfo.InvariantCulture, $"{word.Count(c => c == '\n') + 1}\n{word}\n");
        await process.Input.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()));
        await process.Input.FlushAsync();
        return new Marks(Encoding.ASCII.GetBytes(begin + "\n"), Encoding.ASCII.GetBytes(end), baseline);
    }

    /// <summary>Whether bubblewrap got as far as starting the program that has ended.</summary>
    public bool SetUp => notes.ReadStatus().Contains("\"exit-code\"", StringComparison.Ordinal);

    public ValueTask DisposeAsync() => process.DisposeAsync();
}
