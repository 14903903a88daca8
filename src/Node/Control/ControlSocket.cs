using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FogCompute.Node.Control;

/// <summary>One reason against taking work, for the owner.</summary>
public sealed record StatusReason(string Code, string Message);

/// <summary>One attempt on this machine.</summary>
public sealed record StatusAttempt(Guid AttemptId, Guid JobId, string Phase, DateTimeOffset? StartedAt);

/// <summary>What <c>fog-node status</c> and <c>why</c> show. Sensor values that do not exist are null.</summary>
public sealed record NodeStatus
{
    public required string DeviceId { get; init; }
    public required string Server { get; init; }
    public required int Pid { get; init; }
    public required string State { get; init; }
    public string? Reason { get; init; }
    public required IReadOnlyList<StatusReason> Reasons { get; init; }
    public DateTimeOffset? Since { get; init; }

    /// <summary>When a hold, rest or grace ends.</summary>
    public DateTimeOffset? NotBefore { get; init; }
    public required bool Paused { get; init; }
    public required bool Enrolled { get; init; }

    /// <summary>Whether the control plane answers; <see cref="Trouble"/> says why not.</summary>
    public required bool Connected { get; init; }
    public DateTimeOffset? LastContact { get; init; }
    public string? Trouble { get; init; }
    public required int Slots { get; init; }
    public required double CpuLimit { get; init; }
    public required int Queued { get; init; }
    public required int Running { get; init; }
    public required int Uploading { get; init; }
    public required int Unreported { get; init; }
    public required long Succeeded { get; init; }
    public required long Failed { get; init; }
    public required long Evicted { get; init; }
    public double? BatteryPercent { get; init; }
    public bool? Charging { get; init; }
    public double? TemperatureCelsius { get; init; }
    public double? OtherCpu { get; init; }
    public double? UserIdleSeconds { get; init; }
    public string? Network { get; init; }
    public required IReadOnlyList<string> Isolation { get; init; }
    public required IReadOnlyList<string> PayloadKinds { get; init; }

    /// <summary>At most 32.</summary>
    public required IReadOnlyList<StatusAttempt> Attempts { get; init; }
}

/// <summary>
/// The owner's way to a running agent: a unix socket in the state folder, readable by the same user only. One request per connection: a word
/// (<c>status</c>, <c>pause</c>, <c>resume</c>) and a line end; the answer is a <see cref="NodeStatus"/> as one line of JSON.
/// </summary>
public static class ControlSocket
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.Never };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Serves until cancelled.</summary>
    /// <param name="answer">Obeys the word and answers the state after it; null for an unknown word.</param>
    public static async Task ServeAsync(string folder, Func<string, CancellationToken, Task<NodeStatus?>> answer, NodeLog log, CancellationToken stop)
    {
        var path = Path.Combine(folder, "agent.sock");
        // A former process that was killed leaves its socket; the folder's lock says that it is gone.
        File.Delete(path);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (var address = ShortPath.To(folder))
            listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(address.Folder, "agent.sock")));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        listener.Listen(16);
        try
        {
            while (true)
            {
                var connection = await listener.AcceptAsync(stop);
                _ = ServeOneAsync(connection, answer, log, stop);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Asks the agent of a state folder; null when none runs there.</summary>
    public static async Task<NodeStatus?> AskAsync(string folder, string word, CancellationToken stop)
    {
        folder = Path.GetFullPath(folder);
        if (!File.Exists(Path.Combine(folder, "agent.sock")))
            return null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using (var address = ShortPath.To(folder))
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(address.Folder, "agent.sock")), limit.Token);
            await using var stream = new NetworkStream(socket);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(word + "\n"), limit.Token);
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return await reader.ReadLineAsync(limit.Token) is { } line ? JsonSerializer.Deserialize<NodeStatus>(line, Format) : null;
        }
        catch (Exception error) when (error is SocketException or IOException || (error is OperationCanceledException && !stop.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>The status as JSON for scripts.</summary>
    public static string ToJson(NodeStatus status) => JsonSerializer.Serialize(status, Format);

    private static async Task ServeOneAsync(Socket connection, Func<string, CancellationToken, Task<NodeStatus?>> answer, NodeLog log, CancellationToken stop)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
            limit.CancelAfter(Patience);
            await using var stream = new NetworkStream(connection, ownsSocket: true);
            var word = new byte[64];
            var length = 0;
            while (length < word.Length && Array.IndexOf(word, (byte)'\n', 0, length) < 0)
            {
                var got = await stream.ReadAsync(word.AsMemory(length), limit.Token);
                if (got == 0)
                    return;
                length += got;
            }
            if (await answer(Encoding.UTF8.GetString(word, 0, length).Trim(), limit.Token) is { } status)
                await stream.WriteAsync(Encoding.UTF8.GetBytes(ToJson(status) + "\n"), limit.Token);
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            log.Debug("control", $"A status request ended early: {error.Message}");
        }
        catch (Exception error)
        {
            log.Error("control_fault", $"A status request failed: {error}");
        }
    }

    /// <summary>Socket addresses hold about 100 characters; a deep state folder is reached through a short-lived link.</summary>
    private sealed class ShortPath : IDisposable
    {
        private readonly string? _temporary;

        private ShortPath(string folder, string? temporary)
        {
            Folder = folder;
            _temporary = temporary;
        }

        public string Folder { get; }

        public static ShortPath To(string folder)
        {
            if (Encoding.UTF8.GetByteCount(folder) < 85)
                return new ShortPath(folder, null);
            var temporary = Directory.CreateTempSubdirectory("fog").FullName;
            var link = Path.Combine(temporary, "s");
            Directory.CreateSymbolicLink(link, folder);
            return new ShortPath(link, temporary);
        }

        public void Dispose()
        {
            if (_temporary is null)
                return;
            // The link first, or the recursion would be about what it points to.
            Directory.Delete(Path.Combine(_temporary, "s"));
            Directory.Delete(_temporary);
        }
    }
}
