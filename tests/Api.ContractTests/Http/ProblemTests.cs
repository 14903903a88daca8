using System.Net;
using System.Net.Sockets;
using System.Text;
using FogCompute.Domain.Common;
using Microsoft.AspNetCore.Builder;
using Npgsql;

namespace FogCompute.Api.ContractTests.Http;

public sealed class ProblemTests
{
    private const string Secret = "Host=db.internal;Password=hunter2";

    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(routes: app =>
    {
        app.MapGet("/test/refuse/{kind}", (ErrorKind kind) => (string)(object)Throw(new FogException(new FogError("test.refused", kind, "No.")) { RetryAfter = TimeSpan.FromSeconds(1.2) }));
        app.MapGet("/test/crash", () => (string)(object)Throw(new ArgumentException(Secret)));
        app.MapGet("/test/outage", () => (string)(object)Throw(new NpgsqlException(Secret, new SocketException((int)SocketError.ConnectionRefused))));
    });

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static Exception Throw(Exception e) => throw e;

    [TestCase(ErrorKind.Malformed, 400)]
    [TestCase(ErrorKind.Unauthenticated, 401)]
    [TestCase(ErrorKind.Forbidden, 403)]
    [TestCase(ErrorKind.NotFound, 404)]
    [TestCase(ErrorKind.Conflict, 409)]
    [TestCase(ErrorKind.TooLarge, 413)]
    [TestCase(ErrorKind.Invalid, 422)]
    [TestCase(ErrorKind.LimitExceeded, 429)]
    [TestCase(ErrorKind.Unavailable, 503)]
    public async Task Answers_each_kind_of_refusal_with_its_status(ErrorKind kind, int status)
    {
        using var answer = await _server.Client.GetAsync($"/test/refuse/{kind}");
        await answer.ProblemAsync(status, "test.refused");
        Assert.That(answer.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(2)), "whole seconds, rounded up");
        Assert.That(answer.Headers.WwwAuthenticate.Count, Is.EqualTo(status == 401 ? 1 : 0));
    }

    [Test]
    public async Task Tells_nothing_about_the_inside_when_it_fails()
    {
        using var answer = await _server.Client.GetAsync("/test/crash");
        await answer.ProblemAsync(500, "common.internal");
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Not.Contain("hunter2").And.Not.Contain("Exception"));
    }

    [Test]
    public async Task Answers_503_when_the_database_is_away()
    {
        using var answer = await _server.Client.GetAsync("/test/outage");
        await answer.ProblemAsync(503, "common.database_unavailable");
        Assert.That(answer.Headers.RetryAfter?.Delta, Is.Not.Null);
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Not.Contain("hunter2"));
    }

    [Test]
    public async Task Answers_an_unknown_route_with_a_problem()
    {
        using var answer = await _server.Client.GetAsync("/api/nothing/here");
        await answer.ProblemAsync(404, "common.route_not_found");
    }

    [Test]
    public async Task Answers_an_unknown_method_with_a_problem_and_the_known_ones()
    {
        using var answer = await _server.Client.DeleteAsync("/api/identity/accounts");
        await answer.ProblemAsync(405, "common.method_not_allowed");
        Assert.That(answer.Content.Headers.Allow, Is.EquivalentTo(new[] { "GET", "POST" }));
    }

    [Test]
    public async Task Answers_another_media_type_with_a_problem()
    {
        using var answer = await _server.Client.PostAsync("/api/identity/accounts", new StringContent("name=x", Encoding.UTF8, "application/x-www-form-urlencoded"));
        await answer.ProblemAsync(415, "common.unsupported_media_type");
    }

    [Test]
    public async Task Refuses_a_body_above_the_limit()
    {
        // Ask first: a client that pushes on regardless may see the connection close before it reads the answer.
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/identity/accounts")
        {
            Content = ApiServer.Json($$"""{"name":"{{new string('a', 1 << 20)}}"}"""), Headers = { ExpectContinue = true },
        };
        using var answer = await _server.Client.SendAsync(request);
        await answer.ProblemAsync(413, "common.body_too_large");
    }

    [TestCase("")]
    [TestCase("   ")]
    [TestCase("{\"name\":")]
    [TestCase("{name: 1}")]
    [TestCase("{\"name\":\"a\"} x")]
    [TestCase("\u0000")]
    public async Task Refuses_what_is_not_json(string body)
    {
        using var answer = await _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json(body));
        await answer.ProblemAsync(400, "common.malformed_json");
    }

    [Test]
    public async Task Says_where_the_json_breaks()
    {
        using var answer = await _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json("{\n \"name\": ?"));
        var problem = await answer.ProblemAsync(400, "common.malformed_json");
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("line 2, byte 10"));
    }

    [Test]
    public async Task Refuses_nesting_without_end()
    {
        using var answer = await _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json(new string('[', 100_000)));
        await answer.ProblemAsync(400, "common.malformed_json");
    }

    [Test]
    public async Task Names_every_wrong_field_at_once()
    {
        using var answer = await _server.Client.PostAsync("/api/identity/api-keys",
            ApiServer.Json("""{"expires_in_days":"soon","expiresInDays":3,"permissions":["jobs.read",7,null],"account_id":"x"}"""));
        var problem = await answer.ProblemAsync(422, "common.validation_failed");
        Assert.That(problem.FieldsOf(), Is.EquivalentTo(new[] { "name", "expires_in_days", "expiresInDays", "permissions[1]", "permissions[2]", "account_id" }));
    }

    [TestCase("""{"name":"a","name":"b"}""", "name")]
    [TestCase("""{"name":null}""", "name")]
    [TestCase("""{"name":7}""", "name")]
    [TestCase("""{"name":["a"]}""", "name")]
    [TestCase("""{"Name":"a"}""", "Name")]
    [TestCase("""{"name":"a","permissions":"jobs.read"}""", "permissions")]
    [TestCase("""{"name":"a","expires_in_days":1.5}""", "expires_in_days")]
    [TestCase("""{"name":"a","expires_in_days":1e99}""", "expires_in_days")]
    [TestCase("""{"name":"a","expires_in_days":true}""", "expires_in_days")]
    [TestCase("""{"name":"a","expires_in_days":0}""", "expires_in_days")]
    [TestCase("""{"name":"","expires_in_days":1}""", "name")]
    [TestCase("[]", "body")]
    [TestCase("null", "body")]
    [TestCase("7", "body")]
    public async Task Refuses_a_field_by_name(string body, string field)
    {
        using var answer = await _server.Client.PostAsync("/api/identity/api-keys", ApiServer.Json(body));
        var problem = await answer.ProblemAsync(422, "common.validation_failed");
        Assert.That(problem.FieldsOf(), Does.Contain(field));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Not.Contain("FogCompute.").And.Not.Contain("System."));
    }

    [TestCase("12")]
    [TestCase("12.0")]
    [TestCase("1.2e1")]
    [TestCase("\"12\"")]
    [TestCase("\"12.0\"")]
    public async Task Takes_numbers_by_value_and_as_text(string number)
    {
        using var answer = await _server.Client.PostAsync("/api/identity/api-keys", ApiServer.Json($$"""{"name":"a","expires_in_days":{{number}}}"""));
        var key = await answer.JsonAsync();
        Assert.That(key.GetProperty("expiresAt").GetDateTimeOffset() - key.GetProperty("createdAt").GetDateTimeOffset(), Is.EqualTo(TimeSpan.FromDays(12)));
    }

    [TestCase("limit=abc")]
    [TestCase("limit=0")]
    [TestCase("limit=1001")]
    [TestCase("limit=1.5")]
    [TestCase("limit=99999999999")]
    public async Task Names_the_query_value_that_does_not_fit(string query)
    {
        using var answer = await _server.Client.GetAsync("/api/identity/accounts?" + query);
        var problem = await answer.ProblemAsync(422, "common.validation_failed");
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "limit" }));
    }

    [Test]
    public async Task Answers_in_camel_case_with_nulls()
    {
        using var answer = await _server.Client.PostAsync("/api/identity/api-keys", ApiServer.Json("""{"name":"casing"}"""));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        var key = await answer.JsonAsync();
        Assert.That(key.EnumerateObject().Select(p => p.Name), Does.Contain("accountId").And.Contain("expiresAt"));
        Assert.That(key.GetProperty("expiresAt").ValueKind, Is.EqualTo(System.Text.Json.JsonValueKind.Null));
    }

    [TestCase("/api/identity/whoami/")]
    [TestCase("/health/")]
    [TestCase("/api/identity/accounts/")]
    public async Task Takes_a_trailing_slash(string path)
    {
        using var answer = await _server.Client.GetAsync(path);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("/api/identity/whoami", 200)]
    [TestCase("/api/nothing", 404)]
    [TestCase("/test/crash", 500)]
    [TestCase("/test/refuse/Conflict", 409)]
    public async Task Sends_cors_headers_on_errors_too(string path, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Origin", "http://localhost:3000" } } };
        using var answer = await _server.Client.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
        Assert.That(answer.Headers.GetValues("Access-Control-Allow-Origin"), Is.EqualTo(new[] { "http://localhost:3000" }));
        Assert.That(answer.Headers.GetValues("Access-Control-Allow-Credentials"), Is.EqualTo(new[] { "true" }));
    }

    [Test]
    public async Task Lets_no_other_origin_read()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health") { Headers = { { "Origin", "http://evil.example" } } };
        using var answer = await _server.Client.SendAsync(request);
        Assert.That(answer.Headers.Contains("Access-Control-Allow-Origin"), Is.False);
    }

    [Test]
    public async Task Answers_preflights_of_the_panel()
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/api/identity/accounts")
        {
            Headers = { { "Origin", "http://127.0.0.1:3000" }, { "Access-Control-Request-Method", "POST" }, { "Access-Control-Request-Headers", "content-type,authorization" } },
        };
        using var answer = await _server.Client.SendAsync(request);
        Assert.That(answer.IsSuccessStatusCode, Is.True);
        Assert.That(answer.Headers.GetValues("Access-Control-Allow-Origin"), Is.EqualTo(new[] { "http://127.0.0.1:3000" }));
    }
}
