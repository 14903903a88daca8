using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Identity;

/// <summary>A registered user with a session.</summary>
internal sealed record Person(ApiServer Server, string Name, string Password, Guid Account, HttpClient Client, string Access, string Refresh)
{
    public string Email => Name + "@example.org";

    /// <summary>Enrols a second factor; returns a code that confirms it now.</summary>
    public async Task<string> EnrolMfaAsync() => Totp.CodeAt(await SecretAsync(), Totp.StepAt(Server.Services.GetRequiredService<TimeProvider>().GetUtcNow()));

    public async Task<byte[]> SecretAsync()
    {
        using var answer = await Client.PostAsync("/api/auth/mfa/enrol", ApiServer.Json(new JsonObject { ["password"] = Password }.ToJsonString()));
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), await answer.Content.ReadAsStringAsync());
        var body = await answer.JsonAsync();
        await using var read = Server.Database.DataSource.CreateCommand("SELECT totp_secret FROM identity.users WHERE account_id = $1");
        read.Parameters.Add(new() { Value = Account });
        var secret = (byte[])(await read.ExecuteScalarAsync())!;
        Assert.That(body.GetProperty("secret").GetString(), Is.EqualTo(Totp.Encode(secret)));
        Assert.That(body.GetProperty("otpauth_uri").GetString(), Does.StartWith("otpauth://totp/FogCompute:" + Name).And.Contain("secret=" + Totp.Encode(secret)));
        return secret;
    }

    public Task<HttpResponseMessage> PostAsync(string path, object body) => Client.PostAsync(path, ApiServer.Json(JsonSerializer.Serialize(body)));

    public Task<HttpResponseMessage> LoginAsync(string? password = null, string? code = null) => People.LoginAsync(Server, Name, password ?? Password, code);
}

internal static class People
{
    private static int _count;

    public static async Task<Person> RegisterAsync(ApiServer server, string? name = null, string password = "three blue kites in the rain")
    {
        name ??= $"person-{Interlocked.Increment(ref _count)}";
        using (var registered = await server.Client.PostAsync("/api/auth/register", ApiServer.Json(JsonSerializer.Serialize(new { username = name, email = name + "@example.org", password }))))
            Assert.That((int)registered.StatusCode, Is.EqualTo(201), await registered.Content.ReadAsStringAsync());
        using var login = await LoginAsync(server, name, password);
        var tokens = await login.JsonAsync();
        var access = tokens.GetProperty("access_token").GetString()!;
        var client = server.NewClient(access);
        using var me = await client.GetAsync("/api/auth/me");
        return new Person(server, name, password, (await me.JsonAsync()).GetProperty("account_id").GetGuid(), client, access, tokens.GetProperty("refresh_token").GetString()!);
    }

    public static Task<HttpResponseMessage> LoginAsync(ApiServer server, string username, string password, string? code = null) =>
        server.Client.PostAsync("/api/auth/login", ApiServer.Json(JsonSerializer.Serialize(new { username, password, code })));

    public static Task<HttpResponseMessage> RefreshAsync(ApiServer server, string token) =>
        server.Client.PostAsync("/api/auth/refresh", ApiServer.Json(JsonSerializer.Serialize(new { refresh_token = token })));

    public static async Task SetRolesAsync(ApiServer server, Guid account, params string[] roles)
    {
        using var answer = await server.Client.PutAsync($"/api/identity/users/{account}/roles", ApiServer.Json(JsonSerializer.Serialize(new { roles })));
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The token that a mail to the person holds.</summary>
    public static async Task<string> ResetTokenAsync(ApiServer server, Person person)
    {
        using (var asked = await server.Client.PostAsync("/api/auth/reset-password", ApiServer.Json(JsonSerializer.Serialize(new { email = person.Email }))))
            Assert.That((int)asked.StatusCode, Is.EqualTo(200), await asked.Content.ReadAsStringAsync());
        var folder = Path.Combine(server.Home, "mail");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            // The link counts once its hash is saved, just after the mail.
            await using var sent = server.Database.DataSource.CreateCommand("SELECT count(*) FROM identity.password_resets WHERE email_key = $1 AND sent_at IS NOT NULL");
            sent.Parameters.Add(new() { Value = person.Email });
            if ((long)(await sent.ExecuteScalarAsync())! == 1)
                break;
            await Task.Delay(20, patience.Token);
        }
        var mail = Directory.GetFiles(folder, "*.eml").Select(File.ReadAllText).Single(m => m.Contains(person.Email, StringComparison.Ordinal));
        // Quoted-printable folds lines and writes '=' as =3D.
        var text = mail.Replace("=\r\n", "", StringComparison.Ordinal).Replace("=3D", "=", StringComparison.Ordinal);
        return text[text.IndexOf("fogp_", StringComparison.Ordinal)..][..48];
    }

    /// <summary>What a start would print.</summary>
    public static async Task<string> SetupTokenAsync(ApiServer server)
    {
        await using var scope = server.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return (await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new IssueSetupTokenCommand())).Secret!;
    }

    /// <summary>Frees a name and its address.</summary>
    public static Task ForgetAsync(ApiServer server, string name) => ExecuteAsync(server.Database,
        $"UPDATE identity.users SET email = 'gone', email_key = 'gone-' || account_id WHERE account_id = (SELECT id FROM identity.accounts WHERE name = '{name}'); UPDATE identity.accounts SET name = 'gone-' || id WHERE name = '{name}'");

    public static Task InsertAdminAsync(TestDatabase database) => ExecuteAsync(database,
        """
        INSERT INTO identity.accounts (id, name, address, created_at) VALUES ('0190f7a0-0000-7000-8000-00000000ad01', 'boss', 'fog1boss', now());
        INSERT INTO identity.users (account_id, email, email_key, password_hash, roles, is_active, created_at, password_changed_at, totp_step)
        VALUES ('0190f7a0-0000-7000-8000-00000000ad01', 'boss@example.org', 'boss@example.org', 'none', '{admin}', true, now(), now(), 0)
        """);

    public static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        await using var command = database.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>The real clock, later by as much as a test says; timers run as ever.</summary>
internal sealed class LaterTime : TimeProvider
{
    private TimeSpan _later;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _later;

    public void Wait(TimeSpan time) => _later += time;
}

/// <summary>Counts how often a password is hashed.</summary>
internal sealed class CountedHashing(IPasswordHashing real) : IPasswordHashing
{
    private int _count;

    public int Count => _count;

    public Task<string> HashAsync(string password, CancellationToken cancel)
    {
        Interlocked.Increment(ref _count);
        return real.HashAsync(password, cancel);
    }

    public Task<PasswordMatch> MatchAsync(string? hash, string password, CancellationToken cancel)
    {
        Interlocked.Increment(ref _count);
        return real.MatchAsync(hash, password, cancel);
    }
}
