using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>Bytes of stdout, stderr and outputs that an attempt may still produce. Both streams draw from it at the same time.</summary>
internal sealed class OutputBudget(long bytes)
{
    private long _left = bytes;

    public long Left => Math.Max(0, Interlocked.Read(ref _left));

    /// <summary>How many of the wanted bytes are granted.</summary>
    public int Take(int wanted)
    {
        var left = Interlocked.Add(ref _left, -wanted);
        return left >= 0 ? wanted : (int)Math.Max(0, wanted + left);
    }
}

/// <summary>What a warm runner says at the end of a task, after its token, on both streams.</summary>
internal sealed record RunnerEnd([property: JsonPropertyName("exit")] int Exit, [property: JsonPropertyName("error")] string? Error);

/// <summary>
/// Streams a payload's output into a file that others may read meanwhile, within the budget; past it, calls back once and only drains. Writes go
/// straight to the file, so that what a follower reads is what the payload has written.
/// </summary>
internal static class OutputPump
{
    private const int ChunkBytes = 32 << 10;

    /// <param name="token">Ends one task of a runner that lives on: token, JSON of <see cref="RunnerEnd"/>, newline. Null: the stream ends the output.</param>
    /// <param name="begin">What comes before this is of the task before and is dropped. Null: everything counts.</param>
    /// <returns>The runner's words, null when the stream ended without them.</returns>
    public static async Task<RunnerEnd?> CopyAsync(Stream source, string path, OutputBudget budget, Action exceeded, byte[]? token, byte[]? begin = null)
    {
        using var target = new Target(path, budget, exceeded);
        var buffer = new byte[ChunkBytes];
        var kept = 0;
        while (true)
        {
            // While a token is expected, a tail that may be its beginning stays in the buffer.
            if (kept == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
            var read = await source.ReadAsync(buffer.AsMemory(kept));
            var filled = kept + read;
            if (read == 0)
            {
                target.Write(buffer.AsSpan(0, kept));
                return null;
            }
            if (begin is not null)
            {
                var start = buffer.AsSpan(0, filled).IndexOf(begin);
                // Kept while it is little: without a beginning it is the complaint of who should have made one.
                var after = start >= 0 ? start + begin.Length : filled > ChunkBytes / 2 ? filled - begin.Length + 1 : 0;
                buffer.AsSpan(after, filled - after).CopyTo(buffer);
                kept = filled -= after;
                if (start < 0)
                    continue;
                begin = null;
                if (filled == 0)
                    continue;
            }
            if (token is null)
            {
                target.Write(buffer.AsSpan(0, filled));
                kept = 0;
                continue;
            }
            var at = buffer.AsSpan(0, filled).IndexOf(token);
            if (at < 0)
            {
                var sure = filled - MayBegin(buffer.AsSpan(0, filled), token);
                target.Write(buffer.AsSpan(0, sure));
                buffer.AsSpan(sure, filled - sure).CopyTo(buffer);
                kept = filled - sure;
                continue;
            }
            var newline = buffer.AsSpan(at, filled - at).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                target.Write(buffer.AsSpan(0, at));
                return JsonSerializer.Deserialize<RunnerEnd>(buffer.AsSpan(at + token.Length, newline - token.Length));
            }
            kept = filled;
        }
    }

    /// <summary>Length of the longest tail of the text that the token begins with.</summary>
    private static int MayBegin(ReadOnlySpan<byte> text, ReadOnlySpan<byte> token)
    {
        for (var length = Math.Min(text.Length, token.Length - 1); length > 0; length--)
            if (text[^length..].SequenceEqual(token[..length]))
                return length;
        return 0;
    }

    /// <summary>Makes the file (and its folder) with the first byte: most streams of most attempts stay empty.</summary>
    private sealed class Target(string path, OutputBudget budget, Action exceeded) : IDisposable
    {
        private SafeFileHandle? _file;
        private long _position;
        private bool _full;

        public void Write(ReadOnlySpan<byte> bytes)
        {
            if (_full || bytes.IsEmpty)
                return;
            var granted = budget.Take(bytes.Length);
            _file ??= Open();
            RandomAccess.Write(_file, bytes[..granted], _position);
            _position += granted;
            if (granted == bytes.Length)
                return;
            _full = true;
            exceeded();
        }

        public void Dispose() => _file?.Dispose();

        private SafeFileHandle Open()
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        }
    }
}
