using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// What agent and bubblewrap write to each other: its options (they hold the payload's environment), its status, and the payload's standard input. Files in
/// memory that the set-up script opens through <c>/proc</c>: nothing of them touches a disk, and they are used again by later sandboxes, because
/// making and deleting small files by the thousand is the slowest thing a busy file system does.
/// </summary>
internal sealed class SandboxNotes : IDisposable
{
    private readonly SafeFileHandle _options = Native.MemoryFile("fog-options");
    private readonly SafeFileHandle _status = Native.MemoryFile("fog-status");
    private readonly SafeFileHandle _input = Native.MemoryFile("fog-input");

    /// <summary>Paths under which a child process can open the options, the status (for writing) and the input.</summary>
    public (string Options, string Status, string Input) Paths => (PathOf(_options), PathOf(_status), PathOf(_input));

    /// <param name="options">Of bubblewrap.</param>
    /// <param name="input">Standard input of the payload; null is none.</param>
    public void Write(IEnumerable<string> options, string? input)
    {
        Put(_options, Encoding.UTF8.GetBytes(string.Join('\0', options) + '\0'));
        Put(_input, Encoding.UTF8.GetBytes(input ?? ""));
        Put(_status, []);
    }

    public string ReadStatus()
    {
        Span<byte> buffer = stackalloc byte[1024];
        return Encoding.UTF8.GetString(buffer[..RandomAccess.Read(_status, buffer, 0)]);
    }

    public void Dispose()
    {
        _options.Dispose();
        _status.Dispose();
        _input.Dispose();
    }

    private static void Put(SafeFileHandle file, byte[] content)
    {
        RandomAccess.SetLength(file, content.Length);
        RandomAccess.Write(file, content, 0);
    }

    private static string PathOf(SafeFileHandle file) =>
        string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{file.DangerousGetHandle()}");
}
