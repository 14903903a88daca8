using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using FogCompute.Application.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Identity;

/// <summary>Links for a new password while some addresses cannot be reached.</summary>
public sealed class ResetMailTests
{
    private readonly LaterTime _time = new();
    private readonly Post _post = new();
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(adjust: services => services.AddSingleton<TimeProvider>(_time).AddSingleton<IMailer>(_post));

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task AskAsync(string email)
    {
        using var answer = await _server.Client.PostAsync("/api/auth/reset-password", ApiServer.Json(JsonSerializer.Serialize(new { email })));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
            await Task.Delay(50, patience.Token);
    }

    private async Task<long> CountAsync(string where)
    {
        await using var count = _server.Database.DataSource.CreateCommand($"SELECT count(*) FROM identity.password_resets WHERE {where}");
        return (long)(await count.ExecuteScalarAsync())!;
    }

    [Test]
    public async Task Addresses_that_no_mail_reaches_hold_up_nobody_and_are_given_up()
    {
        var person = await People.RegisterAsync(_server);
        // More than go out at a time, all older than the one that works.
        await People.ExecuteAsync(_server.Database, $"""
            INSERT INTO identity.accounts (id, name, address, created_at) SELECT gen_random_uuid(), 'bounces-' || n, 'fog1bounces' || n, now() FROM generate_series(1, 45) n;
            INSERT INTO identity.users (account_id, email, email_key, password_hash, roles, is_active, created_at, password_changed_at, totp_step)
                SELECT id, name || '@example.org', name || '@example.org', 'none', '{'{'}requester{'}'}', true, now(), now(), 0 FROM identity.accounts WHERE name LIKE 'bounces-%';
            INSERT INTO identity.password_resets (email_key, requested_at) SELECT name || '@example.org', now() - interval '10 minutes' FROM identity.accounts WHERE name LIKE 'bounces-%'
            """);
        await AskAsync(person.Email);
        await UntilAsync(() => Task.FromResult(_post.Sent.Contains(person.Email)));
        await UntilAsync(async () => await CountAsync("email_key LIKE 'bounces-%' AND requested_at > now() - interval '1 minute' AND sent_at IS NULL") == 45);

        // A later try may succeed.
        _post.Works = true;
        _time.Wait(TimeSpan.FromMinutes(2));
        await AskAsync("nobody-wakes-it@example.org");
        await UntilAsync(async () => await CountAsync("email_key LIKE 'bounces-%' AND sent_at IS NULL") == 0);
        Assert.That(_post.Sent.Count(to => to.StartsWith("bounces-", StringComparison.Ordinal)), Is.EqualTo(45), "one mail each");

        _post.Works = false;
        _time.Wait(TimeSpan.FromHours(1));
        await AskAsync("bounces-1@example.org");
        await UntilAsync(async () => await CountAsync("email_key = 'bounces-1@example.org' AND expires_at IS NOT NULL AND sent_at IS NULL AND secret_hash IS NULL") == 1);
        _post.Works = true;
        _time.Wait(TimeSpan.FromMinutes(31));
        await AskAsync(person.Email);
        await UntilAsync(async () => await CountAsync($"email_key = '{person.Email}' AND sent_at > now() + interval '1 hour'") == 1);
        Assert.That(_post.Sent.Count(to => to == "bounces-1@example.org"), Is.EqualTo(1), "after half an hour whoever asked has given up too");
    }

    /// <summary>A mail server that knows no address beginning with "bounces" until it works.</summary>
    private sealed class Post : IMailer
    {
        private readonly ConcurrentQueue<string> _sent = new();

        public volatile bool Works;

        public IReadOnlyCollection<string> Sent => _sent;

        public Task SendAsync(Mail mail, CancellationToken cancel)
        {
            if (!Works && mail.To.StartsWith("bounces", StringComparison.Ordinal))
                throw new System.Net.Mail.SmtpFailedRecipientException(System.Net.Mail.SmtpStatusCode.MailboxUnavailable, mail.To);
            _sent.Enqueue(mail.To);
            return Task.CompletedTask;
        }
    }
}
