using System.Collections.Concurrent;
using System.Globalization;
using FogCompute.Node.Execution.Outputs;

namespace FogCompute.Node.State;

/// <summary>The agent's folder on disk and the lock that makes it the folder of one process.</summary>
public sealed class StateFolder : IDisposable
{
    private const int MostSpare = 64;
    private readonly ConcurrentBag<string> _spare = [];
    private long _spares;
    private readonly FileStream _lock;

    private StateFolder(string root, FileStream held)
    {
        Root = root;
        _lock = held;
    }

    public string Root { get; }
    public string Cache => Path.Combine(Root, "cache");
    public string Executor => Path.Combine(Root, "executor");
    public string Journal => Path.Combine(Root, "journal.jsonl");
    public string PausedMarker => Path.Combine(Root, "paused");

    /// <summary>Private folder of an attempt's payload; exists only while it is staged or runs.</summary>
    public string Work(Guid attempt) => Path.Combine(Root, "work", attempt.ToString("D"));

    /// <summary>Creates the work folder of an attempt: an empty one of an attempt before under a new name, or a new one.</summary>
    public void CreateWork(Guid attempt)
    {
        if (!_spare.TryTake(out var spare))
            Directory.CreateDirectory(Work(attempt));
        else
            Directory.Move(spare, Work(attempt));
    }

    /// <summary>Removes a work folder. One that is empty is kept for a later attempt: file systems are slow at making what they have just deleted.</summary>
    public void RemoveWork(Guid attempt)
    {
        var folder = Work(attempt);
        if (_spare.Count >= MostSpare || !WorkFolders.IsEmpty(folder))
        {
            WorkFolders.Remove(folder);
            return;
        }
        var spare = Path.Combine(Root, "spare", Interlocked.Increment(ref _spares).ToString(CultureInfo.InvariantCulture));
        Directory.Move(folder, spare);
        _spare.Add(spare);
    }

    /// <summary>stdout and stderr of an attempt.</summary>
    public string Logs(Guid attempt) => Path.Combine(Root, "logs", attempt.ToString("D"));

    /// <summary>Finished files of an attempt that wait for their upload.</summary>
    public string Outbox(Guid attempt) => Path.Combine(Root, "outbox", attempt.ToString("D"));

    /// <summary>Creates the folder where needed and takes its lock. The system drops the lock when the process ends, however it ends.</summary>
    /// <exception cref="AgentException">Another agent holds the folder, or it cannot be written.</exception>
    public static StateFolder Open(string path)
    {
        var root = Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(root);
            MakePrivate(root);
            foreach (var name in (string[])["work", "spare", "logs", "outbox", "cache", "executor"])
                Directory.CreateDirectory(Path.Combine(root, name));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(ExitCodes.Error, $"The state folder {root} cannot be used: {error.Message} Choose another with --state.");
        }
        try
        {
            return new StateFolder(root, new FileStream(Path.Combine(root, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(ExitCodes.Error,
                $"Another fog-node already runs with the state folder {root}. Stop it first, or give this one its own --state.");
        }
    }

    /// <summary>Removes folders of attempts that nobody knows any more (left by a crash).</summary>
    public void RemoveLeftovers(IReadOnlySet<Guid> known)
    {
        foreach (var kind in (string[])["work", "spare", "logs", "outbox"])
            foreach (var folder in Directory.EnumerateDirectories(Path.Combine(Root, kind)))
                // Work folders always go: an attempt that is resumed starts from the beginning in a fresh one.
                if (kind is "work" or "spare" || !Guid.TryParse(Path.GetFileName(folder), out var id) || !known.Contains(id))
                    WorkFolders.Remove(folder);
    }

    /// <summary>Writes a small file so that a crash leaves the old or the new content, never half of it.</summary>
    /// <param name="secret">Whether only the owner of the process may read it (0600).</param>
    public void WriteAtomically(string name, string text, bool secret = false)
    {
        var path = Path.Combine(Root, name);
        var draft = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (secret && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(draft, options))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        File.Move(draft, path, overwrite: true);
    }

    public string? ReadText(string name) => File.Exists(Path.Combine(Root, name)) ? File.ReadAllText(Path.Combine(Root, name)) : null;

    public void Dispose() => _lock.Dispose();

    private static void MakePrivate(string folder)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
