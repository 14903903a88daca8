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
    /// <returns>The runner's words, null when the stream ended without them.</returns>
    public static async Task<RunnerEnd?> CopyAsync(Stream source, string path, OutputBudget budget, Action exceeded, byte[]? token)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        var target = new Target(file, budget, exceeded);
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
            if (token is null)
            {
                target.Write(buffer.AsSpan(0, filled));
                continue;
            }
            var at = buffer.AsSpan(0, filled).IndexOf(token);
            if (at < 0)
            {
                var sure = Math.Max(0, filled - token.Length + 1);
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

    private sealed class Target(SafeFileHandle file, OutputBudget budget, Action exceeded)
    {
        private long _position;
        private bool _full;

        public void Write(ReadOnlySpan<byte> bytes)
        {
            if (_full || bytes.IsEmpty)
                return;
            var granted = budget.Take(bytes.Length);
            RandomAccess.Write(file, bytes[..granted], _position);
            _position += granted;
            if (granted == bytes.Length)
                return;
            _full = true;
            exceeded();
        }
    }
}
