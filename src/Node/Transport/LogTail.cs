using System.Text;

namespace FogCompute.Node.Transport;

/// <summary>Reads the ends of an attempt's stdout and stderr files.</summary>
internal static class LogTail
{
    private static readonly string[] Names = ["stdout", "stderr"];

    /// <summary>Bytes written so far to both.</summary>
    public static long Length(string folder) => Names.Sum(name => new FileInfo(Path.Combine(folder, name)) is { Exists: true } file ? file.Length : 0);

    /// <summary>
    /// The last lines of stdout followed by those of stderr, together at most <paramref name="most"/> bytes of UTF-8; each gets at least half when
    /// both are long. Bytes that are no text become replacement characters (NUL too: databases refuse it in text).
    /// </summary>
    public static string Read(string folder, int most)
    {
        var sizes = Names.Select(name => new FileInfo(Path.Combine(folder, name)) is { Exists: true } file ? file.Length : 0).ToArray();
        var first = Math.Min(sizes[0], Math.Max(most / 2, most - sizes[1]));
        var second = Math.Min(sizes[1], most - first);
        var text = Tail(Path.Combine(folder, Names[0]), sizes[0], (int)first);
        var errors = Tail(Path.Combine(folder, Names[1]), sizes[1], (int)second);
        if (text.Length > 0 && errors.Length > 0 && !text.EndsWith('\n'))
            text += "\n";
        return Fit(text + errors, most);
    }

    private static string Tail(string path, long size, int count)
    {
        if (count == 0)
            return "";
        var buffer = new byte[count];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        file.Seek(size - count, SeekOrigin.Begin);
        var got = file.ReadAtLeast(buffer, count, throwOnEndOfStream: false);
        ReadOnlySpan<byte> bytes = buffer.AsSpan(0, got);
        if (size > count)
        {
            // Begin with a whole line if one begins here, at least with a whole character.
            var line = bytes.IndexOf((byte)'\n');
            if (line >= 0 && line < got - 1)
                bytes = bytes[(line + 1)..];
            while (bytes.Length > 0 && (bytes[0] & 0xC0) == 0x80)
                bytes = bytes[1..];
        }
        return Encoding.UTF8.GetString(bytes).Replace('\0', '\uFFFD');
    }

    /// <summary>Replacement characters are longer than what they replace; cuts from the front until the limit holds.</summary>
    private static string Fit(string text, int most)
    {
        var excess = Encoding.UTF8.GetByteCount(text) - most;
        while (excess > 0)
        {
            var cut = Math.Min(text.Length, Math.Max(1, excess / 3));
            if (cut < text.Length && char.IsLowSurrogate(text[cut]))
                cut++;
            text = text[cut..];
            excess = Encoding.UTF8.GetByteCount(text) - most;
        }
        return text;
    }
}
