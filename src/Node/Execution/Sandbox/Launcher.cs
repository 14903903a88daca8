using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// A small shell that stands ready inside a control group and a network namespace of its own and starts one sandbox after the other. Entering a group and
/// making a network namespace cost more than the rest of a sandbox together, and a shell forks faster than the agent. What a payload can see and do
/// is set up anew for each, by bubblewrap or, in a prepared root, by <c>unshare</c> and <see cref="PreparedRoots"/>. The network, and a prepared root's read-only part, it shares with no other attempt at the same time.
/// </summary>
/// <remarks>The requester's words are data of the constant script throughout: it reads them into positional parameters and never evaluates them.</remarks>
/// <param name="root">Mount namespace of a launcher with a prepared root; null where bubblewrap builds the root of each command.</param>
internal sealed class Launcher(SandboxProcess process, SandboxNotes notes, bool network, SafeFileHandle? root) : IAsyncDisposable
{
    /// <summary>
    /// Parameters: system call filter or empty; with a prepared root <c>unshare</c>, the user and <see cref="FirstScript"/>, else empty. Descriptors: 7 options, 8 status, 9 input. A request is lines: begin and end token, largest file in 512-byte
    /// blocks, most processes or empty, 1 if there is input, number of words, and each word as its number of lines and these. The answer goes to both
    /// streams: the begin token in a line, what the command writes, the end token with the exit code as JSON.
    /// </summary>
    public const string Script = """
        filter=$1 unshare=$2 user=$3 first=$4 newline='
        '
        echo ready
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
                exec 3> /proc/self/fd/8
                if [ -z "$unshare" ]; then exec 4< /proc/self/fd/7; fi
                [ -z "$filter" ] || exec 5< "$filter"
                if [ -n "$input" ]; then exec < /proc/self/fd/9; else exec < /dev/null; fi
                exec 7<&- 8>&- 9<&-
                [ -n "$unshare" ] || exec "$@"
                exec "$unshare" --fork --kill-child --pid --mount --ipc --uts --cgroup --propagation unchanged --mount-proc --setuid "$user" --setgid "$user" -- \
                    /bin/sh -c "$first" fog-sandbox "$@"
            )
            code=$?
            echo "$end{\"exit\":$code}"; echo "$end{\"exit\":$code}" >&2
        done
        """;

    /// <summary>
    /// First process of a command's pid namespace in a prepared root; already its user. Parameters: number of environment variables, these as NAME=value, the command. As bubblewrap's
    /// it says in the status that the program is being started, passes its exit code on and ends whatever is left by its own end.
    /// </summary>
    public const string FirstScript = """
        cd /work || exit 125
        echo '"exit-code"' >&3 || exit 125
        exec 3>&-
        count=$1
        shift
        while [ "$count" -gt 0 ]; do export "$1"; shift; count=$((count - 1)); done
        (exec "$@")
        exit $?
        """;

    /// <summary>Processes that stand by while nothing runs: bubblewrap around the launcher, and its shell.</summary>
    public const int OwnProcesses = 2;

    public SandboxProcess Process => process;

    public bool Network => network;

    /// <summary>Where what a command gets anew is mounted; null where bubblewrap does it.</summary>
    public SafeFileHandle? Root => root;

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

    public ValueTask DisposeAsync()
    {
        root?.Dispose();
        return process.DisposeAsync();
    }
}
