using FogCompute.Cli.Output;

namespace FogCompute.Cli.Tests;

/// <summary><c>fog login</c>, <c>fog logout</c>, <c>fog whoami</c> and what other commands make of a login.</summary>
[TestFixture]
internal sealed class LoginTests : CliFixture
{
    private const string Who = """{"kind":"user","accountId":"a","name":"ada","address":"fog1x","deviceId":null,"permissions":["jobs.read","profile"]}""";

    private string File => Path.Combine(Variables["FOG_HOME"], "logins.json");

    private static string Tokens(string name, int seconds = 1800) => $$"""{"access_token":"foga_{{name}}","token_type":"bearer","expires_in":{{seconds}},"refresh_token":"fogr_{{name}}"}""";

    private Task<Ran> LoginAsync(params string[] more) => RunAsync(terminal: false, "open sesame\n", ["login", "ada", "--password-stdin", .. more]);

    [Test]
    public async Task Keeps_a_login_for_its_owner_only_and_uses_it()
    {
        Plane.On("POST", "/api/auth/login", Tokens("one")).On("GET", "/api/identity/whoami", Who);
        var ran = await LoginAsync();
        Assert.That((ran.ExitCode, ran.Out), Is.EqualTo((0, $"Logged in to {Plane.Url}/ as ada.\n")), ran.Error);
        Assert.That(Plane.Requests.Single().Body!.ToJsonString(), Does.Contain("\"password\":\"open sesame\""));
        if (!OperatingSystem.IsWindows())
            Assert.That(System.IO.File.GetUnixFileMode(File), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

        var who = await RunAsync("whoami");
        Assert.That(who.Out, Is.EqualTo("ada (user)\n  address      fog1x\n  permissions  jobs.read, profile\n"), who.Error);
        Assert.That(Plane.Requests.Last().Authorization, Is.EqualTo("Bearer foga_one"));
        Assert.That((await RunAsync("whoami", "--json")).Json["name"]!.GetValue<string>(), Is.EqualTo("ada"));
        await RunAsync("whoami", "--token", "fogk_mine");
        Assert.That(Plane.Requests.Last().Authorization, Is.EqualTo("Bearer fogk_mine"), "a token that is given goes before");
        Variables["FOG_TOKEN"] = "fogk_env";
        await RunAsync("whoami");
        Assert.That(Plane.Requests.Last().Authorization, Is.EqualTo("Bearer fogk_env"));
    }

    [Test]
    public async Task Sends_a_login_to_its_own_server_only()
    {
        Plane.On("POST", "/api/auth/login", Tokens("one"));
        await LoginAsync();
        await using var other = await FakeControlPlane.StartAsync();
        other.On("GET", "/api/identity/whoami", Who);
        await RunAsync("whoami", "--server", other.Url);
        Assert.That(other.Requests.Single().Authorization, Is.Null);
    }

    [Test]
    public async Task Renews_an_access_token_before_it_expires()
    {
        Plane.On("POST", "/api/auth/login", Tokens("one", seconds: 30)).On("POST", "/api/auth/refresh", Tokens("two")).On("GET", "/api/identity/whoami", Who);
        await LoginAsync();
        var both = await Task.WhenAll(RunAsync("whoami"), RunAsync("whoami"));
        Assert.That(both.Select(r => r.ExitCode), Is.All.Zero);
        var refreshes = Plane.Requests.Where(r => r.Path == "/api/auth/refresh").ToList();
        Assert.That(refreshes, Has.Count.EqualTo(1), "two commands at once exchange the token once");
        Assert.That(refreshes[0].Body!["refresh_token"]!.GetValue<string>(), Is.EqualTo("fogr_one"));
        Assert.That(Plane.Requests.Where(r => r.Path == "/api/identity/whoami").Select(r => r.Authorization), Is.All.EqualTo("Bearer foga_two"));
    }

    [Test]
    public async Task Says_so_when_the_login_has_ended_and_forgets_it()
    {
        Plane.On("POST", "/api/auth/login", Tokens("one", seconds: 30)).On("POST", "/api/auth/refresh", Problem(401, "identity.refresh_invalid", "Ended."), 401);
        await LoginAsync();
        var ran = await RunAsync("whoami");
        Assert.That(ran.ExitCode, Is.EqualTo(4), ran.Error);
        Assert.That(ran.Error, Does.Contain("The login of ada").And.Contain("fog login"));
        Assert.That(System.IO.File.ReadAllText(File), Does.Not.Contain("fogr_one"));
    }

    [Test]
    public async Task Logs_out_there_and_here()
    {
        Plane.On("POST", "/api/auth/login", Tokens("one")).On("POST", "/api/auth/logout", """{"success":true,"message":"Logged out."}""");
        await LoginAsync();
        var ran = await RunAsync("logout", "--json");
        Assert.That((ran.ExitCode, ran.Json["session_ended"]!.GetValue<bool>()), Is.EqualTo((0, true)), ran.Error);
        Assert.That(Plane.Requests.Last().Authorization, Is.EqualTo("Bearer foga_one"));
        Assert.That(System.IO.File.ReadAllText(File), Does.Not.Contain("foga_one"));
        Assert.That((await RunAsync("logout")).ExitCode, Is.EqualTo(3), "nobody is logged in");
    }

    [Test]
    public async Task Asks_for_the_password_and_the_code_without_showing_them()
    {
        Plane.On("POST", "/api/auth/login", Problem(401, "identity.mfa_required", "Code needed."), 401).On("POST", "/api/auth/login", Tokens("one"));
        var asked = new List<string>();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var host = new CliHost
        {
            Out = output, Error = error, In = TextReader.Null, Variable = name => Variables.GetValueOrDefault(name), CurrentDirectory = Folder,
            AskSecret = prompt =>
            {
                asked.Add(prompt);
                return prompt.StartsWith("Password", StringComparison.Ordinal) ? "open sesame" : "123456";
            },
        };
        Assert.That(await FogCommandLine.RunAsync(["login", "ada"], host, default), Is.Zero, error.ToString());
        Assert.That(asked, Is.EqualTo(new[] { "Password of ada: ", "Code of the authenticator app: " }));
        Assert.That(Plane.Requests.Last().Body!["code"]!.GetValue<string>(), Is.EqualTo("123456"));
        Assert.That(output.ToString() + error, Does.Not.Contain("open sesame").And.Not.Contain("foga_"));
    }

    [Test]
    public async Task Ends_with_4_when_refused_and_2_without_a_password()
    {
        Plane.On("POST", "/api/auth/login", Problem(401, "identity.mfa_required", "Code needed."), 401);
        var needed = await LoginAsync();
        Assert.That((needed.ExitCode, needed.Error.Contains("--code CODE", StringComparison.Ordinal)), Is.EqualTo((4, true)), needed.Error);
        Assert.That((await RunAsync("login", "ada")).ExitCode, Is.EqualTo(2));
        Assert.That((await RunAsync(terminal: false, "", "login", "ada", "--password-stdin")).ExitCode, Is.EqualTo(2));
        Assert.That(System.IO.File.Exists(File), Is.False);
    }
}
