using System.Net;
using System.Text.Json;

namespace FogCompute.Api.ContractTests.Identity;

public sealed class RoleTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static async Task<int> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return (int)answer.StatusCode;
    }

    private async Task<HttpClient> KeyAsync(Person person, object key)
    {
        using var answer = await person.PostAsync("/api/identity/api-keys", key);
        Assert.That((int)answer.StatusCode, Is.EqualTo(201), await answer.Content.ReadAsStringAsync());
        return _server.NewClient((await answer.JsonAsync()).GetProperty("secret").GetString());
    }

    [Test]
    public async Task Roles_take_effect_at_once_also_for_keys()
    {
        var person = await People.RegisterAsync(_server);
        Assert.That(await StatusAsync(person.Client, "/api/identity/accounts"), Is.EqualTo(403));
        await People.SetRolesAsync(_server, person.Account, "requester", "operator");
        Assert.That(await StatusAsync(person.Client, "/api/identity/accounts"), Is.EqualTo(200));
        using var key = await KeyAsync(person, new { name = "ops", permissions = new[] { "operate" } });
        Assert.That(await StatusAsync(key, "/api/identity/accounts"), Is.EqualTo(200));
        await People.SetRolesAsync(_server, person.Account, "requester");
        Assert.That((await StatusAsync(person.Client, "/api/identity/accounts"), await StatusAsync(key, "/api/identity/accounts")), Is.EqualTo((403, 403)), "a key never does more than its user may");
        using (var off = await _server.Client.PutAsync($"/api/identity/users/{person.Account}/active", ApiServer.Json("""{"active":false}""")))
            Assert.That((int)off.StatusCode, Is.EqualTo(200));
        Assert.That((await StatusAsync(person.Client, "/api/identity/whoami"), await StatusAsync(key, "/api/identity/whoami")), Is.EqualTo((401, 401)));
        using var unknown = await _server.Client.PutAsync($"/api/identity/users/{person.Account}/roles", ApiServer.Json("""{"roles":["emperor"]}"""));
        Assert.That((await unknown.ProblemAsync(422, "common.validation_failed")).FieldsOf(), Is.EqualTo(new[] { "roles[0]" }));
        using var nobody = await _server.Client.PutAsync("/api/identity/users/0190f7a0-0000-7000-8000-000000000099/roles", ApiServer.Json("""{"roles":[]}"""));
        await nobody.ProblemAsync(404, "identity.user_not_found");
    }

    [Test]
    public async Task Each_role_may_what_it_is_for_and_nothing_else()
    {
        var person = await People.RegisterAsync(_server);
        (string Role, int Jobs, int Accounts, int Users, int Audit)[] wanted =
        [
            ("requester", 200, 403, 403, 403), ("provider", 403, 403, 403, 403), ("operator", 200, 200, 403, 403), ("auditor", 200, 403, 403, 200), ("admin", 200, 200, 200, 200),
        ];
        foreach (var (role, jobs, accounts, users, audit) in wanted)
        {
            await People.SetRolesAsync(_server, person.Account, role);
            Assert.That(
                (await StatusAsync(person.Client, "/api/scheduler/jobs"), await StatusAsync(person.Client, "/api/identity/accounts"), await StatusAsync(person.Client, "/api/identity/users"), await StatusAsync(person.Client, "/api/audit/entries")),
                Is.EqualTo((jobs, accounts, users, audit)), role);
            if (role == "auditor")
            {
                using var change = await person.PostAsync("/api/scheduler/jobs", new { name = "test" });
                await change.ProblemAsync(403, "identity.forbidden");
            }
        }
        await People.SetRolesAsync(_server, (await AnotherAdminAsync()).Account, "admin");
        await People.SetRolesAsync(_server, person.Account, "requester");
    }

    private async Task<Person> AnotherAdminAsync()
    {
        var person = await People.RegisterAsync(_server);
        await People.SetRolesAsync(_server, person.Account, "admin");
        return person;
    }

    [Test]
    public async Task The_last_admin_stays_one()
    {
        await People.ExecuteAsync(_server.Database, "UPDATE identity.users SET roles = '{requester}' WHERE 'admin' = ANY(roles)");
        var (one, two) = (await AnotherAdminAsync(), await AnotherAdminAsync());
        Task<HttpResponseMessage> DemoteAsync(Person by, Person whom) => by.Client.PutAsync($"/api/identity/users/{whom.Account}/roles", ApiServer.Json("""{"roles":["requester"]}"""));
        var both = await Task.WhenAll(DemoteAsync(one, two), DemoteAsync(two, one));
        Assert.That(both.Select(a => (int)a.StatusCode).Count(s => s == 200), Is.EqualTo(1), "two who remove each other: one of them succeeds");
        using var list = await _server.Client.GetAsync("/api/identity/users");
        var last = (await list.JsonAsync()).GetProperty("users").EnumerateArray().Single(u => u.GetProperty("roles").EnumerateArray().Any(r => r.GetString() == "admin")).GetProperty("id").GetGuid();
        using var roles = await _server.Client.PutAsync($"/api/identity/users/{last}/roles", ApiServer.Json("""{"roles":[]}"""));
        await roles.ProblemAsync(409, "identity.last_admin");
        using var active = await _server.Client.PutAsync($"/api/identity/users/{last}/active", ApiServer.Json("""{"active":false}"""));
        await active.ProblemAsync(409, "identity.last_admin");
    }

    [Test]
    public async Task Nobody_makes_a_key_that_may_more_or_lives_longer_than_they_do()
    {
        var person = await People.RegisterAsync(_server);
        async Task RefusedAsync(HttpClient maker, object key, string field)
        {
            using var answer = await maker.PostAsync("/api/identity/api-keys", ApiServer.Json(JsonSerializer.Serialize(key)));
            Assert.That((await answer.ProblemAsync(403, "identity.not_grantable")).FieldsOf(), Is.EqualTo(new[] { field }));
        }
        await RefusedAsync(person.Client, new { name = "x", permissions = new[] { "operate" } }, "permissions");
        await People.SetRolesAsync(_server, person.Account, "operator");
        await RefusedAsync(person.Client, new { name = "x", permissions = new[] { "users.manage" } }, "permissions");
        using var brief = await KeyAsync(person, new { name = "brief", permissions = new[] { "keys.manage", "jobs.read", "devices.write" }, expires_in_days = 2 });
        await RefusedAsync(brief, new { name = "x", permissions = new[] { "jobs.read" }, expires_in_days = 3 }, "expires_in_days");
        using var heir = await brief.PostAsync("/api/identity/api-keys", ApiServer.Json("""{"name":"heir"}"""));
        var key = await heir.JsonAsync();
        Assert.That(key.GetProperty("expiresAt").GetDateTimeOffset(), Is.LessThan(TimeProvider.System.GetUtcNow().AddDays(2)));
        Assert.That(key.GetProperty("permissions").EnumerateArray().Select(p => p.GetString()), Is.EqualTo(new[] { "devices.write", "jobs.read", "keys.manage" }), "by default what an ordinary member may, as far as its maker may");
        using var token = await brief.PostAsync("/api/identity/enrolment-tokens", ApiServer.Json("""{"expires_in_hours":720}"""));
        Assert.That((await token.JsonAsync()).GetProperty("expiresAt").GetDateTimeOffset(), Is.LessThan(TimeProvider.System.GetUtcNow().AddDays(2)));
    }

    [Test]
    public async Task Lists_users_by_name_page_by_page()
    {
        for (var i = 0; i < 3; i++)
            await People.RegisterAsync(_server);
        var names = new List<string>();
        string? after = null;
        do
        {
            using var answer = await _server.Client.GetAsync($"/api/identity/users?limit=2{(after is null ? "" : "&after=" + after)}");
            var page = await answer.JsonAsync();
            names.AddRange(page.GetProperty("users").EnumerateArray().Select(u => u.GetProperty("username").GetString()!));
            after = page.GetProperty("next").GetString();
        }
        while (after is not null);
        Assert.That(names, Is.Unique.And.Count.GreaterThanOrEqualTo(3));
    }

    [Test]
    public async Task Closed_registration_lets_nobody_in()
    {
        await using var server = await ApiServer.StartAsync(["--FOG_REGISTRATION=closed"]);
        using var answer = await server.Client.PostAsync("/api/auth/register", ApiServer.Json("""{"username":"eve","email":"eve@example.org","password":"an apple in the garden"}"""));
        await answer.ProblemAsync(403, "identity.registration_closed");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }
}
