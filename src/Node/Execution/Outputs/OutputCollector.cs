using System.Security.Cryptography;

namespace FogCompute.Node.Execution.Outputs;

/// <summary>
/// Finds and hashes the outputs of an attempt after its last process is gone (so nothing changes under us). Links are never followed, neither
/// in the last place nor on the way; what is not a regular file is refused, not skipped, because the requester counted on it.
/// </summary>
public static class OutputCollector
{
    private const int MostFiles = 10_000;

    /// <summary>Either the files or why not; exactly one of the two is set.</summary>
    public sealed record Collection(IReadOnlyList<CollectedFile> Files, string? Reason, string? Message);

    /// <param name="workFolder">Where to look; a pattern cannot leave it.</param>
    /// <param name="patterns">Globs, see <see cref="OutputPattern"/>; empty collects nothing.</param>
    /// <param name="bytesLeft">Most bytes all files together may have.</param>
    public static async Task<Collection> CollectAsync(string workFolder, IReadOnlyList<string> patterns, long bytesLeft, CancellationToken stop)
    {
        if (patterns.Count == 0)
            return new Collection([], null, null);
        var parsed = new List<OutputPattern>();
        foreach (var text in patterns)
        {
            if (OutputPattern.Parse(text) is not { } pattern)
                return Refused(ExecutionReasons.OutputUnsafe, $"Output pattern '{text}' leaves the work folder. Use a relative path without '..'.");
            parsed.Add(pattern);
        }

        var found = new SortedDictionary<string, FileFacts>(StringComparer.Ordinal);
        if (Walk(workFolder, [], parsed, found, stop) is { } unsafeEntry)
            return unsafeEntry;
        foreach (var literal in parsed.Where(pattern => pattern.IsLiteral))
            if (!found.Keys.Any(path => literal.Matches(path.Split('/'))))
                return Refused(ExecutionReasons.OutputMissing, $"The payload ended without leaving a file '{literal.Text}' in its work folder.");
        var total = found.Values.Sum(facts => facts.Size);
        if (total > bytesLeft || found.Count > MostFiles)
            return Refused(
                ExecutionReasons.OutputLimit,
                $"The outputs are {found.Count} files with {total} bytes; {Math.Max(0, bytesLeft)} bytes and {MostFiles} files are left of the limit. Raise limits.output_bytes.");

        var files = new List<CollectedFile>(found.Count);
        foreach (var (path, facts) in found)
        {
            var absolute = Path.Combine(workFolder, path);
            WorkFolders.OpenUpFile(absolute);
            await using var stream = new FileStream(Native.OpenNoFollow(absolute), FileAccess.Read, 1 << 17);
            files.Add(new CollectedFile(absolute, path, Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, stop)), facts.Size));
        }
        return new Collection(files, null, null);
    }

    private static Collection? Walk(
        string folder, List<string> at, List<OutputPattern> patterns, SortedDictionary<string, FileFacts> found, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        WorkFolders.OpenUp(folder);
        foreach (var absolute in Directory.EnumerateFileSystemEntries(folder))
        {
            List<string> path = [.. at, Path.GetFileName(absolute)];
            var relative = string.Join('/', path);
            var matches = patterns.Any(pattern => pattern.Matches(path));
            // A name that is not valid UTF-8 cannot be named on the wire, and reads back as a different, missing name.
            if (Native.Stat(absolute) is not { } facts)
                return matches ? Refused(ExecutionReasons.OutputUnsafe, $"Output '{relative}' has a name that is not valid UTF-8.") : null;
            switch (facts.Kind)
            {
                case FileKind.Folder:
                    if (patterns.Any(pattern => pattern.MayMatchBelow(path)) && Walk(absolute, path, patterns, found, stop) is { } bad)
                        return bad;
                    break;
                case FileKind.Regular:
                    if (matches)
                        found[relative] = facts;
                    break;
                default:
                    if (matches || patterns.Any(pattern => pattern.Crosses(path)))
                        return Refused(
                            ExecutionReasons.OutputUnsafe,
                            $"Output '{relative}' is a {(facts.Kind == FileKind.Link ? "symbolic link" : "pipe, socket or device")}. Only regular files are collected.");
                    break;
            }
            if (found.Count > MostFiles)
                break;
        }
        return null;
    }

    private static Collection Refused(string reason, string message) => new([], reason, message);
}
