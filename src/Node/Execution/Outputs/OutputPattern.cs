namespace FogCompute.Node.Execution.Outputs;

/// <summary>
/// A glob relative to the work folder: <c>*</c> and <c>?</c> stay within a path segment, a segment <c>**</c> stands for any number of folders
/// (also none). Matching is case-sensitive and in time O(pattern × path).
/// </summary>
public sealed class OutputPattern
{
    private readonly string[] _segments;

    private OutputPattern(string text, string[] segments) => (Text, _segments) = (text, segments);

    public string Text { get; }

    /// <summary>A pattern without wildcard names one file, which then must exist.</summary>
    public bool IsLiteral => !Text.AsSpan().ContainsAny('*', '?');

    /// <summary>Null when the pattern is empty, absolute or leaves the work folder.</summary>
    public static OutputPattern? Parse(string text)
    {
        if (text.Length == 0 || text[0] == '/' || text.Contains('\0') || text.Contains('\\'))
            return null;
        var segments = text.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(s => s != ".").ToArray();
        return segments.Length == 0 || segments.Contains("..") ? null : new OutputPattern(text, segments);
    }

    /// <summary>Whether the relative path is meant by this pattern.</summary>
    public bool Matches(IReadOnlyList<string> path) => Reach(path).Contains(_segments.Length);

    /// <summary>Whether something below this folder could match, so that it must be looked into.</summary>
    public bool MayMatchBelow(IReadOnlyList<string> folder) => Reach(folder).Any(position => position < _segments.Length);

    /// <summary>Whether the path is a folder that the pattern names literally on the way to its files.</summary>
    public bool Crosses(IReadOnlyList<string> path) =>
        path.Count < _segments.Length && path.Index().All(step => _segments[step.Index] == step.Item);

    // Positions in the pattern after consuming the whole path; a set, so that several ** cost no backtracking.
    private HashSet<int> Reach(IReadOnlyList<string> path)
    {
        var positions = Closure([0]);
        foreach (var name in path)
        {
            HashSet<int> next = [];
            foreach (var position in positions)
            {
                if (position == _segments.Length)
                    continue;
                if (_segments[position] == "**")
                    next.Add(position);
                else if (SegmentMatches(_segments[position], name))
                    next.Add(position + 1);
            }
            positions = Closure(next);
        }
        return positions;
    }

    private HashSet<int> Closure(HashSet<int> positions)
    {
        foreach (var position in positions.ToArray())
            for (var next = position; next < _segments.Length && _segments[next] == "**"; next++)
                positions.Add(next + 1);
        return positions;
    }

    // The usual linear wildcard match: remember the last star and retry one character later.
    private static bool SegmentMatches(string pattern, string name)
    {
        int p = 0, n = 0, star = -1, retry = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
                (star, retry) = (p++, n);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == name[n]))
                (p, n) = (p + 1, n + 1);
            else if (star >= 0)
                (p, n) = (star + 1, ++retry);
            else
                return false;
        }
        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }
}
