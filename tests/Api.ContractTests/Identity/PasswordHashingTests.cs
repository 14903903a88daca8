using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FogCompute.Application.Identity;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Identity;

namespace FogCompute.Api.ContractTests.Identity;

public sealed class PasswordHashingTests
{
    [Test]
    public async Task Hashes_in_production_as_OWASP_asks()
    {
        using var hashing = new PasswordHashing(new PasswordHashingOptions());
        var hash = Convert.FromBase64String(await hashing.HashAsync("nine lives", default));
        // Format 3 of ASP.NET Core Identity: marker, function, iterations, salt length, salt, result.
        Assert.That(hash[0], Is.EqualTo(1));
        Assert.That(BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(1)), Is.EqualTo(2), "HMAC-SHA512");
        Assert.That(BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(5)), Is.GreaterThanOrEqualTo(210_000));
        Assert.That(BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(9)), Is.EqualTo(16), "salt");
        Assert.That(hash, Has.Length.EqualTo(13 + 16 + 32));
    }

    [Test]
    public async Task Knows_right_wrong_weak_and_nobody()
    {
        using var weak = new PasswordHashing(new PasswordHashingOptions(1_000));
        using var strong = new PasswordHashing(new PasswordHashingOptions(2_000));
        var hash = await weak.HashAsync("nine lives", default);
        Assert.That(
            (await weak.MatchAsync(hash, "nine lives", default), await weak.MatchAsync(hash, "nine lives ", default), await strong.MatchAsync(hash, "nine lives", default), await weak.MatchAsync(null, "nine lives", default)),
            Is.EqualTo((PasswordMatch.Right, PasswordMatch.Wrong, PasswordMatch.RightButWeak, PasswordMatch.Wrong)));
    }

    [Test]
    public async Task Refuses_more_than_it_can_do()
    {
        using var hashing = new PasswordHashing(new PasswordHashingOptions(Iterations: 20_000, AtOnce: 1, Waiting: 2));
        var all = Enumerable.Range(0, 50).Select(_ => hashing.HashAsync("nine lives", default)).ToList();
        await Task.WhenAll(all).ContinueWith(_ => { }, TaskScheduler.Default);
        var refused = all.Where(t => t.IsFaulted).Select(t => t.Exception!.InnerException).ToList();
        Assert.That(refused, Is.Not.Empty.And.All.Matches<FogException>(f => f.Error == IdentityErrors.HashingBusy && f.RetryAfter > TimeSpan.Zero));
        Assert.That(all.Count(t => t.IsCompletedSuccessfully), Is.GreaterThanOrEqualTo(2));
        Assert.That(await hashing.HashAsync("nine lives", default), Is.Not.Empty, "and goes on");
    }

    [Test]
    public async Task Sends_mail_over_smtp()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var server = ReceiveAsync(listener);
        var mailer = new Mailer(new MailOptions("unused", "fog@example.org", new SmtpServer("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, Login: null, Secure: false)));
        await mailer.SendAsync(new Mail("ada@example.org", "Hello", "A line.\n.\nAnother."), default);
        var said = await server.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.That(said, Does.Contain("MAIL FROM:<fog@example.org>").And.Contain("RCPT TO:<ada@example.org>").And.Contain("Subject: Hello").And.Contain("Another."));
    }

    [Test]
    public void Does_not_send_without_tls_to_another_machine()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = ReceiveAsync(listener);
        // This server offers no STARTTLS.
        var mailer = new Mailer(new MailOptions("unused", "fog@example.org", new SmtpServer("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, new NetworkCredential("user", "secret"), Secure: true)));
        Assert.That(async () => await mailer.SendAsync(new Mail("ada@example.org", "Hello", "A line."), default), Throws.InstanceOf<System.Net.Mail.SmtpException>());
    }

    /// <summary>As much of RFC 5321 as a client needs; everything that it said.</summary>
    private static async Task<string> ReceiveAsync(TcpListener listener)
    {
        using var client = await listener.AcceptTcpClientAsync();
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        await using var writer = new StreamWriter(client.GetStream(), Encoding.ASCII) { NewLine = "\r\n", AutoFlush = true };
        var said = new StringBuilder();
        await writer.WriteLineAsync("220 test");
        var inData = false;
        while (await reader.ReadLineAsync() is { } line)
        {
            said.AppendLine(line);
            if (inData && line != ".")
                continue;
            (inData, var answer) = line switch
            {
                "." => (false, "250 kept"),
                "DATA" => (true, "354 go on"),
                "QUIT" => (false, "221 bye"),
                _ => (false, "250 ok"),
            };
            await writer.WriteLineAsync(answer);
            if (answer.StartsWith("250 kept", StringComparison.Ordinal) || line == "QUIT")
                break;
        }
        return said.ToString();
    }
}
