using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api;
using FogCompute.Api.Http;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Identity;
using FogCompute.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests;

/// <summary>The real control plane on a free loopback port and a database of its own.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _home;

    private ApiServer(WebApplication app, TestDatabase database, string home)
    {
        _app = app;
        _home = home;
        Database = database;
        Url = new Uri(app.Urls.Single());
        Client = NewClient();
    }

    public TestDatabase Database { get; }
    public Uri Url { get; }
    public string Home => _home;
    public IServiceProvider Services => _app.Services;

    /// <summary>Without a token, that is: the local operator.</summary>
    public HttpClient Client { get; }

    /// <summary>Which device holds which attempt; stands in for the scheduler's tables.</summary>
    public AttemptTable Attempts { get; private init; } = new();

    /// <param name="settings"><c>--KEY=value</c>.</param>
    /// <param name="routes">Extra endpoints of the test.</param>
    public static async Task<ApiServer> StartAsync(string[]? settings = null, Action<WebApplication>? routes = null, TestDatabase? database = null, Action<IServiceCollection>? adjust = null)
    {
        database ??= await TestDatabase.CreateAsync();
        var home = Directory.CreateTempSubdirectory("fog-api-test-").FullName;
        var attempts = new AttemptTable();
        var builder = Program.NewBuilder(["--API_PORT=0", $"--FOG_HOME={home}", Environment.GetEnvironmentVariable("FOG_TEST_LOG") is { } level ? $"--Logging:LogLevel:Default={level}" : "--Logging:LogLevel:Default=None", .. settings ?? []]);
        var app = Program.Build(builder, database.Host, services =>
        {
            services.AddScoped<IAttemptAccess>(_ => attempts);
            var real = services.Last(s => s.ServiceType == typeof(ICredentials));
            services.AddSingleton<ICredentials>(p => new DevicesByName((ICredentials)ActivatorUtilities.CreateInstance(p, real.ImplementationType!)));
            // Real hashing takes a tenth of a second of a processor, on purpose.
            services.AddSingleton(new PasswordHashingOptions(Iterations: 1_000));
            services.AddSingleton(new FirstRunNotice(TextWriter.Null));
            adjust?.Invoke(services);
        });
        routes?.Invoke(app);
        await app.StartAsync();
        var server = new ApiServer(app, database, home) { Attempts = attempts };
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        while (!(await server.Client.GetAsync("/readyz", patience.Token)).IsSuccessStatusCode)
            await Task.Delay(20, patience.Token);
        return server;
    }

    public HttpClient NewClient(string? token = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Url };
        if (token is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>A new account and a client with an API key of it.</summary>
    public async Task<(Guid Account, HttpClient Client, string Secret)> NewMemberAsync(string name, string[]? permissions = null)
    {
        var account = Guid.Parse((await PostAsync("/api/identity/accounts", new JsonObject { ["name"] = name }))["id"]!.GetValue<string>());
        var body = new JsonObject { ["name"] = "test", ["account_id"] = account.ToString() };
        if (permissions is not null)
            body["permissions"] = new JsonArray([.. permissions.Select(p => (JsonNode)p)]);
        var secret = (await PostAsync("/api/identity/api-keys", body))["secret"]!.GetValue<string>();
        return (account, NewClient(secret), secret);
    }

    public async Task<JsonNode> PostAsync(string path, JsonNode body)
    {
        using var answer = await Client.PostAsync(path, Json(body.ToJsonString()));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, $"POST {path}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }
}

/// <summary>What the scheduler would answer.</summary>
public sealed class AttemptTable : IAttemptAccess
{
    private readonly Dictionary<(string Device, AttemptId Attempt), (AccountId Owner, HashSet<ArtifactDigest> Inputs)> _live = [];

    public void Lease(string device, AttemptId attempt, Guid owner, params string[] inputs) =>
        _live[(device, attempt)] = (new AccountId(owner), [.. inputs.Select(i => ArtifactDigest.TryParse(i, out var d) ? d : throw new ArgumentException(i))]);

    public void End(string device, AttemptId attempt) => _live.Remove((device, attempt));

    public Task<AccountId?> OwnerOfLiveAttemptAsync(string deviceId, AttemptId attempt, CancellationToken cancel) =>
        Task.FromResult(_live.TryGetValue((deviceId, attempt), out var lease) ? lease.Owner : (AccountId?)null);

    public Task<bool> IsInputAsync(AttemptId attempt, ArtifactDigest digest, CancellationToken cancel) =>
        Task.FromResult(_live.Any(l => l.Key.Attempt == attempt && l.Value.Inputs.Contains(digest)));
}

/// <summary><c>fogd_test_NAME</c> is the key of a device of that name; everything else is looked up for real.</summary>
internal sealed class DevicesByName(ICredentials real) : ICredentials
{
    public const string Prefix = "fogd_test_";

    public static readonly AccountId Owner = new(Guid.Parse("0190f7a0-0000-7000-8000-000000000001"));

    public Task<Credential?> FindAsync(string secret, CancellationToken cancel) => secret.StartsWith(Prefix, StringComparison.Ordinal)
        ? Task.FromResult<Credential?>(new Credential(CallerKind.Device, Owner, secret[Prefix.Length..], null, new HashSet<string>(Permissions.Device), null))
        : real.FindAsync(secret, cancel);

    public Task<bool> StandsAsync(Credential credential, CancellationToken cancel) => real.StandsAsync(credential, cancel);
}

internal static class Answers
{
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer) =>
        JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;

    /// <summary>Checks that the answer is a whole problem document of that status and code; returns it.</summary>
    public static async Task<JsonElement> ProblemAsync(this HttpResponseMessage answer, int status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), text);
        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/problem+json"), text);
        var problem = JsonDocument.Parse(text).RootElement;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(problem.GetProperty("code").GetString(), Is.EqualTo(code), text);
            Assert.That(problem.GetProperty("status").GetInt32(), Is.EqualTo(status));
            Assert.That(problem.GetProperty("type").GetString(), Is.EqualTo("urn:fogcompute:problem:" + code));
            Assert.That(problem.GetProperty("title").GetString(), Is.Not.Empty);
            Assert.That(problem.GetProperty("detail").GetString(), Is.Not.Empty);
            Assert.That(problem.GetProperty("traceId").GetString(), Is.Not.Empty);
        }
        return problem;
    }

    public static string[] FieldsOf(this JsonElement problem) => [.. problem.GetProperty("errors").EnumerateObject().Select(p => p.Name)];
}
