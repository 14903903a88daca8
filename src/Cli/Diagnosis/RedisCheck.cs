using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace FogCompute.Cli.Diagnosis;

/// <summary>Asks the Redis of REDIS_URL for a PONG.</summary>
internal static class RedisCheck
{
    private const string Check = "Redis";
    private const string WithoutIt = "The control plane works without it, each process with a cache of its own; unset REDIS_URL if that is meant.";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static async Task<Finding> RunAsync(string url, CancellationToken cancel)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("redis" or "rediss") || address.Host.Length == 0)
            return Finding.Fail(Check, "REDIS_URL is no address", "Write it as redis://[user:password@]host:6379[/0], or rediss:// for TLS.");
        var port = address.Port > 0 ? address.Port : 6379;
        var where = $"{address.Host}:{port}";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, port, limit.Token);
            await using Stream stream = client.GetStream();
            await using var secure = address.Scheme == "rediss" ? new SslStream(stream, leaveInnerStreamOpen: true) : null;
            if (secure is not null)
                await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = address.Host }, limit.Token);
            var wire = secure ?? stream;
            if (address.UserInfo is { Length: > 0 } login)
            {
                var parts = login.Split(':', 2).Select(Uri.UnescapeDataString).ToArray();
                var answer = await AskAsync(wire, ["AUTH", .. parts.Length == 2 ? parts.Where(p => p.Length > 0) : parts], limit.Token);
                if (!answer.StartsWith('+'))
                    return Finding.Fail(Check, $"{where} refuses the password: {answer.TrimStart('-')}", "Correct the password in REDIS_URL.");
            }
            var pong = await AskAsync(wire, ["PING"], limit.Token);
            return pong switch
            {
                "+PONG" => Finding.Ok(Check, $"{where} answers"),
                _ when pong.StartsWith("-NOAUTH", StringComparison.Ordinal) => Finding.Fail(Check, $"{where} wants a password", "Put it into REDIS_URL: redis://:password@host:6379"),
                _ when pong.StartsWith('-') => Finding.Fail(Check, $"{where} answers: {pong[1..]}", "Wait if it is loading its data; its log says more."),
                _ => Finding.Fail(Check, $"what answers at {where} is not Redis", "Correct REDIS_URL."),
            };
        }
        catch (SocketException refused)
        {
            return Finding.Fail(Check, refused.SocketErrorCode == SocketError.ConnectionRefused ? $"nothing listens at {where}: Redis is down, or REDIS_URL names another place" : $"{where}: {refused.Message}",
                $"Start Redis there, or correct REDIS_URL. {WithoutIt}");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Finding.Fail(Check, $"{where} did not answer within {Patience.TotalSeconds:0} s", $"See whether it is overloaded, or a firewall is in the way. {WithoutIt}");
        }
        catch (Exception broken) when (broken is IOException or System.Security.Authentication.AuthenticationException)
        {
            return Finding.Fail(Check, $"{where} broke off: {broken.Message}", "Correct REDIS_URL (redis:// without TLS, rediss:// with).");
        }
    }

    private static async Task<string> AskAsync(Stream wire, string[] words, CancellationToken cancel)
    {
        var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
        foreach (var word in words)
            request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        await wire.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), cancel);
        var line = new List<byte>();
        var one = new byte[1];
        while (line.Count < 512 && await wire.ReadAsync(one, cancel) == 1 && one[0] != '\n')
            line.Add(one[0]);
        return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
    }
}
