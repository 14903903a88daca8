using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace FogCompute.ApiSpeed;

/// <summary>What one run of the generator sends.</summary>
/// <param name="Path">In path and body <c>{n}</c> stands for the request's number in eight digits, <c>{b}</c> for two digits that change with it.</param>
/// <param name="First">The first number.</param>
/// <param name="Modulo">Numbers start again at zero here; 0: never.</param>
internal sealed record LoadPlan(int Port, int Connections, double WarmUpSeconds, double Seconds, string Method, string Path, string? Body, int ExpectedStatus, int First = 0, int Modulo = 0);

/// <param name="Refused">Answers of another status than expected, warm-up included.</param>
/// <param name="Sent">All requests with the expected answer, warm-up included.</param>
internal sealed record LoadResult(int Requests, int Sent, int Refused, string? FirstRefusal, double Seconds, double P50Ms, double P99Ms, double MostMs, double CpuSeconds)
{
    public double PerSecond => Requests / Seconds;
}

/// <summary>
/// A closed loop of keep-alive connections over raw sockets: each sends its next request when the answer to the last is whole. Hand-written HTTP/1.1, since a
/// full client would cost more than the server.
/// </summary>
internal sealed class Load(LoadPlan plan)
{
    private readonly List<long>[] _latencies = Enumerable.Range(0, plan.Connections).Select(_ => new List<long>(1 << 16)).ToArray();
    private int _number = plan.First - 1;
    private int _sent;
    private int _refused;
    private string? _firstRefusal;

    /// <param name="measuring">Called when the warm-up is over.</param>
    public async Task<LoadResult> RunAsync(Action measuring)
    {
        var start = Stopwatch.GetTimestamp();
        var from = start + (long)(plan.WarmUpSeconds * Stopwatch.Frequency);
        var to = from + (long)(plan.Seconds * Stopwatch.Frequency);
        var loops = Enumerable.Range(0, plan.Connections).Select(i => Task.Run(() => LoopAsync(_latencies[i], from, to))).ToArray();
        await Task.Delay(TimeSpan.FromSeconds(plan.WarmUpSeconds));
        measuring();
        var before = Environment.CpuUsage.TotalTime;
        await Task.Delay(Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), to));
        var cpu = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        await Task.WhenAll(loops);
        var all = _latencies.SelectMany(l => l).Order().ToArray();
        return new LoadResult(all.Length, _sent, _refused, _firstRefusal, plan.Seconds, At(all, 0.50), At(all, 0.99), At(all, 1), cpu);
    }

    private static double At(long[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))] * 1000.0 / Stopwatch.Frequency;

    private async Task LoopAsync(List<long> latencies, long from, long to)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, plan.Port);
        var request = new Request(plan);
        var buffer = new byte[1 << 16];
        while (true)
        {
            var sent = Stopwatch.GetTimestamp();
            if (sent >= to)
                return;
            var number = Interlocked.Increment(ref _number);
            await socket.SendAsync(request.With(plan.Modulo > 0 ? number % plan.Modulo : number));
            var length = 0;
            while (!Answer.IsWhole(buffer.AsSpan(0, length)))
            {
                if (length == buffer.Length)
                    Array.Resize(ref buffer, buffer.Length * 2);
                var read = await socket.ReceiveAsync(buffer.AsMemory(length));
                if (read == 0)
                    throw new InvalidOperationException($"The server closed the connection in the middle of an answer to {plan.Method} {plan.Path}.");
                length += read;
            }
            var now = Stopwatch.GetTimestamp();
            if (Answer.Status(buffer) != plan.ExpectedStatus)
            {
                Interlocked.Increment(ref _refused);
                Interlocked.CompareExchange(ref _firstRefusal, Encoding.UTF8.GetString(buffer, 0, Math.Min(length, 700)), null);
            }
            else
            {
                Interlocked.Increment(ref _sent);
                if (now >= from && now < to)
                    latencies.Add(now - sent);
            }
        }
    }

    /// <summary>The process that only generates: plan on its input, "measuring" and then the result on its output.</summary>
    public static async Task RunProcessAsync()
    {
        var plan = JsonSerializer.Deserialize<LoadPlan>((await Console.In.ReadLineAsync())!)!;
        var result = await new Load(plan).RunAsync(() => Console.WriteLine("measuring"));
        Console.WriteLine(JsonSerializer.Serialize(result));
    }

    /// <summary>The bytes of a request, with the places where the number goes.</summary>
    private sealed class Request
    {
        private const string Number = "00000000", Small = "00";
        private readonly byte[] _bytes;
        private readonly List<int> _numbers = [];
        private readonly List<int> _small = [];

        public Request(LoadPlan plan)
        {
            var body = plan.Body is null ? "" : Mark(plan.Body);
            var text = $"{plan.Method} {Mark(plan.Path)} HTTP/1.1\r\nHost: 127.0.0.1:{plan.Port}\r\n"
                + (plan.Body is null && plan.Method == "GET" ? "" : $"Content-Length: {body.Length}\r\n") + (plan.Body is null ? "" : "Content-Type: application/json\r\n") + "\r\n" + body;
            for (var i = 0; i < text.Length; i++)
            {
                if (text[i] == '\u0001')
                    _numbers.Add(i);
                else if (text[i] == '\u0002')
                    _small.Add(i);
            }
            _bytes = Encoding.ASCII.GetBytes(text);
        }

        private static string Mark(string text) => text.Replace("{n}", "\u0001" + Number[1..], StringComparison.Ordinal).Replace("{b}", "\u0002" + Small[1..], StringComparison.Ordinal);

        public ReadOnlyMemory<byte> With(int number)
        {
            foreach (var at in _numbers)
                number.TryFormat(_bytes.AsSpan(at, Number.Length), out _, "D8", CultureInfo.InvariantCulture);
            foreach (var at in _small)
                (number * 7 % 90 + 10).TryFormat(_bytes.AsSpan(at, Small.Length), out _, "D2", CultureInfo.InvariantCulture);
            return _bytes;
        }
    }

    /// <summary>As much of HTTP/1.1 as a keep-alive client without pipelining needs.</summary>
    private static class Answer
    {
        public static int Status(ReadOnlySpan<byte> answer) => int.Parse(answer.Slice(9, 3), CultureInfo.InvariantCulture);

        public static bool IsWhole(ReadOnlySpan<byte> answer)
        {
            var head = answer.IndexOf("\r\n\r\n"u8);
            if (head < 0)
                return false;
            var headers = answer[..(head + 2)];
            var at = headers.IndexOf("\r\nContent-Length: "u8);
            if (at >= 0)
            {
                var value = headers[(at + 18)..];
                return answer.Length >= head + 4 + int.Parse(value[..value.IndexOf((byte)'\r')], CultureInfo.InvariantCulture);
            }
            // Chunks: the last one is empty, and JSON in one line holds no line break.
            return headers.IndexOf("\r\nTransfer-Encoding: chunked"u8) >= 0
                ? answer[(head + 2)..].EndsWith("\r\n0\r\n\r\n"u8)
                : throw new InvalidOperationException($"An answer that is neither of known length nor chunked: {Encoding.UTF8.GetString(headers)}");
        }
    }
}
