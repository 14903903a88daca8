using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Identity;

public sealed class LoginTests
{
    private readonly LaterTime _time = new();
    private ApiServer _server = null!;
    private CountedHashing _hashing = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(adjust: services =>
    {
        services.AddSingleton<TimeProvider>(_time);
        services.AddSingleton<IPasswordHashing>(p => _hashing = new CountedHashing(new PasswordHashing(p.GetRequiredService<PasswordHashingOptions>())));
    });

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    // All tests come from one address.
    [SetUp]
    public Task Forgive() => People.ExecuteAsync(_server.Database, "DELETE FROM identity.login_failures");

    private Task<HttpResponseMessage> LoginAsync(string username, string password, string? code = null) => People.LoginAsync(_server, username, password, code);

    private async Task<HttpResponseMessage> RegisterAsync(string username, string email, string password) =>
        await _server.Client.PostAsync("/api/auth/register", ApiServer.Json(JsonSerializer.Serialize(new { username, email, password })));

    private async Task<HttpStatusCode> MeAsync(string token)
    {
        using var client = _server.NewClient(token);
        using var answer = await client.GetAsync("/api/auth/me");
        return answer.StatusCode;
    }

    private async Task<long> AuditedAsync(string action, string? subject = null)
    {
        await using var count = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM audit.entries WHERE action = $1 AND ($2::text IS NULL OR subject = $2)");
        count.Parameters.Add(new() { Value = action });
        count.Parameters.Add(new() { Value = (object?)subject ?? DBNull.Value });
        return (long)(await count.ExecuteScalarAsync())!;
    }

    [Test]
    public async Task Registers_logs_in_and_says_who_it_is()
    {
        using var registered = await RegisterAsync("ada", "Ada@Example.org", "seven swans a-swimming");
        Assert.That(registered.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        Assert.That(await registered.Content.ReadAsStringAsync(), Is.EqualTo("""{"username":"ada","email":"Ada@Example.org","is_active":true}"""));

        using var login = await LoginAsync("Ada", "seven swans a-swimming");
        var tokens = await login.JsonAsync();
        Assert.That(tokens.EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "access_token", "token_type", "expires_in", "refresh_token" }));
        Assert.That((tokens.GetProperty("token_type").GetString(), tokens.GetProperty("expires_in").GetInt32()), Is.EqualTo(("bearer", 1800)));
        Assert.That(tokens.GetProperty("access_token").GetString(), Does.Match("^foga_[0-9A-Za-z]{43}$"));
        Assert.That(tokens.GetProperty("refresh_token").GetString(), Does.Match("^fogr_[0-9A-Za-z]{43}$"));
        using var byMail = await LoginAsync("ADA@example.ORG", "seven swans a-swimming");
        Assert.That(byMail.StatusCode, Is.EqualTo(HttpStatusCode.OK));

        using var client = _server.NewClient(tokens.GetProperty("access_token").GetString());
        using var meAnswer = await client.GetAsync("/api/auth/me");
        var me = await meAnswer.JsonAsync();
        Assert.That((me.GetProperty("username").GetString(), me.GetProperty("email").GetString(), me.GetProperty("is_active").GetBoolean()), Is.EqualTo(("ada", "Ada@Example.org", true)));
        Assert.That(me.GetProperty("roles").EnumerateArray().Select(r => r.GetString()), Is.EqualTo(new[] { "provider", "requester" }));
        using var who = await client.GetAsync("/api/identity/whoami");
        Assert.That((await who.JsonAsync()).GetProperty("kind").GetString(), Is.EqualTo("user"));
        using var balance = await client.GetAsync("/api/tokenomics/balance");
        Assert.That((await balance.JsonAsync()).GetProperty("balance").GetDecimal(), Is.EqualTo(100m), "the faucet greeted the account");
        Assert.That((await AuditedAsync("identity.registered", me.GetProperty("account_id").GetString()), await AuditedAsync("identity.logged_in", me.GetProperty("account_id").GetString())), Is.EqualTo((1L, 2L)));
    }

    [Test]
    public async Task Me_needs_a_person()
    {
        using var local = await _server.Client.GetAsync("/api/auth/me");
        await local.ProblemAsync(401, "identity.unauthenticated");
        var (_, key, _) = await _server.NewMemberAsync("key-of-nobody", ["public", "profile"]);
        using var byKey = await key.GetAsync("/api/auth/me");
        await byKey.ProblemAsync(401, "identity.unauthenticated");
    }

    [TestCase("password", "identity.password_too_common")]
    [TestCase("QWERTY123", "identity.password_too_common")]
    [TestCase("1q2w3e4r5t6y", "identity.password_too_common")]
    [TestCase("weakling", "identity.password_is_name")]
    [TestCase("WeakLing@Example.org", "identity.password_is_name")]
    [TestCase("mailbox-of-weakling", "identity.password_is_name")]
    public async Task Refuses_a_password_that_everybody_tries(string password, string code)
    {
        using var answer = await RegisterAsync("weakling", password.StartsWith("mailbox", StringComparison.Ordinal) ? "mailbox-of-weakling@example.org" : "weakling@example.org", password);
        Assert.That((await answer.ProblemAsync(422, code)).FieldsOf(), Is.EqualTo(new[] { "password" }));
    }

    [Test]
    public async Task Takes_any_script_and_cuts_nothing_off()
    {
        var emoji = string.Concat(Enumerable.Repeat("😀", 128));
        using (var registered = await RegisterAsync("emoji", "emoji@example.org", emoji))
            Assert.That(registered.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        using var right = await LoginAsync("emoji", emoji);
        Assert.That(right.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var shorter = await LoginAsync("emoji", emoji[..^2]);
        await shorter.ProblemAsync(401, "identity.invalid_credentials");
        using var longer = await LoginAsync("emoji", emoji + "x");
        await longer.ProblemAsync(401, "identity.invalid_credentials");
        using var tooLong = await RegisterAsync("emoji-2", "emoji-2@example.org", emoji + "x");
        await tooLong.ProblemAsync(422, "common.validation_failed");
    }

    [Test]
    public async Task Refuses_names_and_addresses_that_are_taken()
    {
        var person = await People.RegisterAsync(_server);
        using var name = await RegisterAsync(person.Name, "another@example.org", "an umbrella full of soup");
        Assert.That((await name.ProblemAsync(409, "identity.username_taken")).FieldsOf(), Is.EqualTo(new[] { "username" }));
        using var email = await RegisterAsync("another", person.Email.ToUpperInvariant(), "an umbrella full of soup");
        Assert.That((await email.ProblemAsync(409, "identity.email_taken")).FieldsOf(), Is.EqualTo(new[] { "email" }));
        using var reserved = await RegisterAsync("system", "system@example.org", "an umbrella full of soup");
        await reserved.ProblemAsync(409, "identity.username_taken");
    }

    [Test]
    public async Task Answers_every_wrong_login_alike_after_the_same_work()
    {
        var known = await People.RegisterAsync(_server);
        var inactive = await People.RegisterAsync(_server);
        using (var off = await _server.Client.PutAsync($"/api/identity/users/{inactive.Account}/active", ApiServer.Json("""{"active":false}""")))
            Assert.That((await off.JsonAsync()).GetProperty("isActive").GetBoolean(), Is.False);
        var answers = new List<string>();
        foreach (var (name, password) in new[] { ("nobody-of-that-name", known.Password), ("nobody@example.org", known.Password), (known.Name, "wrong"), (inactive.Name, inactive.Password) })
        {
            var before = _hashing.Count;
            using var answer = await LoginAsync(name, password);
            var problem = await answer.ProblemAsync(401, "identity.invalid_credentials");
            Assert.That(_hashing.Count - before, Is.EqualTo(1), $"hashes for {name}");
            answers.Add(problem.GetRawText().Replace(problem.GetProperty("traceId").GetString()!, "", StringComparison.Ordinal) + string.Join(',', answer.Headers.Select(h => h.Key).Where(h => h != "Date").Order()));
        }
        Assert.That(answers.Distinct().Count(), Is.EqualTo(1), string.Join('\n', answers));
        Assert.That(await AuditedAsync("identity.login_failed", known.Account.ToString()), Is.EqualTo(1), "a refused login is committed");
        Assert.That(await MeAsync(inactive.Access), Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task Locks_a_name_longer_each_time_whether_it_exists_or_not()
    {
        var person = await People.RegisterAsync(_server);
        foreach (var name in new[] { person.Name, "phantom" })
        {
            await Forgive();
            for (var i = 0; i < 5; i++)
            {
                using var wrong = await LoginAsync(name, "wrong");
                await wrong.ProblemAsync(401, "identity.invalid_credentials");
            }
            var before = _hashing.Count;
            using (var locked = await LoginAsync(name.ToUpperInvariant(), person.Password))
            {
                await locked.ProblemAsync(429, "identity.too_many_logins");
                Assert.That(locked.Headers.RetryAfter?.Delta, Is.InRange(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30)));
            }
            Assert.That(_hashing.Count, Is.EqualTo(before), "nothing is checked while locked");
            _time.Wait(TimeSpan.FromSeconds(31));
            using (var again = await LoginAsync(name, "wrong"))
                await again.ProblemAsync(401, "identity.invalid_credentials");
            using (var longer = await LoginAsync(name, "wrong"))
                Assert.That(longer.Headers.RetryAfter?.Delta, Is.InRange(TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(60)));
        }
        _time.Wait(TimeSpan.FromSeconds(61));
        using var right = await person.LoginAsync();
        Assert.That(right.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Locks_an_address_that_tries_many_names()
    {
        var person = await People.RegisterAsync(_server);
        for (var i = 0; i < 20; i++)
        {
            using var wrong = await LoginAsync($"guess-{i}", "wrong");
            await wrong.ProblemAsync(401, "identity.invalid_credentials");
        }
        using var locked = await person.LoginAsync();
        await locked.ProblemAsync(429, "identity.too_many_logins");
        Assert.That(locked.Headers.RetryAfter?.Delta, Is.GreaterThan(TimeSpan.Zero));
    }

    [Test]
    public async Task Counts_guesses_sent_at_once_one_by_one()
    {
        var person = await People.RegisterAsync(_server);
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => person.LoginAsync("wrong")));
        Assert.That(answers.Count(a => (int)a.StatusCode == 401), Is.EqualTo(5));
        Assert.That(answers.Count(a => (int)a.StatusCode == 429), Is.EqualTo(7));
    }

    [Test]
    public async Task A_token_that_has_run_out_does_not_stand_in_the_way_of_a_login()
    {
        var person = await People.RegisterAsync(_server);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/login") { Content = ApiServer.Json(JsonSerializer.Serialize(new { username = person.Name, password = person.Password })) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "foga_long-gone");
        using var answer = await _server.Client.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Rotates_refresh_tokens_and_ends_the_session_when_one_is_used_twice()
    {
        var person = await People.RegisterAsync(_server);
        using var other = await person.LoginAsync();
        using var first = await People.RefreshAsync(_server, person.Refresh);
        var next = await first.JsonAsync();
        var access = next.GetProperty("access_token").GetString()!;
        Assert.That((await MeAsync(access), await MeAsync(person.Access)), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.OK)), "what is under way does not fail");

        using var stolen = await People.RefreshAsync(_server, person.Refresh);
        await stolen.ProblemAsync(401, "identity.refresh_invalid");
        using var family = await People.RefreshAsync(_server, next.GetProperty("refresh_token").GetString()!);
        await family.ProblemAsync(401, "identity.refresh_invalid");
        Assert.That((await MeAsync(access), await MeAsync(person.Access)), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)), "at once");
        Assert.That(await MeAsync((await other.JsonAsync()).GetProperty("access_token").GetString()!), Is.EqualTo(HttpStatusCode.OK), "another login is another session");
        Assert.That(await AuditedAsync("identity.refresh_reused", person.Account.ToString()), Is.EqualTo(1));
        using var access2 = await People.RefreshAsync(_server, access);
        await access2.ProblemAsync(401, "identity.refresh_invalid");
    }

    [Test]
    public async Task Gives_the_next_pair_to_one_of_many_who_refresh_at_once()
    {
        var person = await People.RegisterAsync(_server);
        // All of them have seen the token unused before the first may exchange it.
        await using var connection = await _server.Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var hold = connection.CreateCommand())
        {
            hold.CommandText = "SELECT 1 FROM identity.sessions WHERE account_id = $1 FOR UPDATE";
            hold.Parameters.Add(new() { Value = person.Account });
            await hold.ExecuteNonQueryAsync();
        }
        var requests = Enumerable.Range(0, 5).Select(_ => People.RefreshAsync(_server, person.Refresh)).ToList();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            await using var waiting = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%identity.sessions%'");
            if ((long)(await waiting.ExecuteScalarAsync())! == 5)
                break;
            await Task.Delay(20, patience.Token);
        }
        await transaction.CommitAsync();
        var answers = await Task.WhenAll(requests);
        Assert.That(answers.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 200, 409, 409, 409, 409 }));
        await answers.First(a => (int)a.StatusCode == 409).ProblemAsync(409, "identity.refresh_raced");
        using var goesOn = await People.RefreshAsync(_server, (await answers.Single(a => (int)a.StatusCode == 200).JsonAsync()).GetProperty("refresh_token").GetString()!);
        Assert.That(goesOn.StatusCode, Is.EqualTo(HttpStatusCode.OK), "the session lives");
    }

    [Test]
    public async Task Tokens_and_sessions_run_out()
    {
        var person = await People.RegisterAsync(_server);
        var idle = await People.RegisterAsync(_server);
        _time.Wait(SessionToken.AccessLife + TimeSpan.FromSeconds(1));
        Assert.That(await MeAsync(person.Access), Is.EqualTo(HttpStatusCode.Unauthorized));
        var refresh = person.Refresh;
        foreach (var days in new[] { 13, 13, 3 })
        {
            _time.Wait(TimeSpan.FromDays(days));
            using var answer = await People.RefreshAsync(_server, refresh);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            refresh = (await answer.JsonAsync()).GetProperty("refresh_token").GetString()!;
        }
        _time.Wait(TimeSpan.FromDays(1));
        using var end = await People.RefreshAsync(_server, refresh);
        await end.ProblemAsync(401, "identity.refresh_invalid");
        using var asleep = await People.RefreshAsync(_server, idle.Refresh);
        await asleep.ProblemAsync(401, "identity.refresh_invalid");
    }

    [Test]
    public async Task Logs_out_at_once()
    {
        var person = await People.RegisterAsync(_server);
        using var answer = await person.PostAsync("/api/auth/logout", new { });
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await MeAsync(person.Access), Is.EqualTo(HttpStatusCode.Unauthorized));
        using var refresh = await People.RefreshAsync(_server, person.Refresh);
        await refresh.ProblemAsync(401, "identity.refresh_invalid");
    }

    [Test]
    public async Task Changes_a_password_and_ends_the_other_sessions()
    {
        var person = await People.RegisterAsync(_server);
        using var other = await person.LoginAsync();
        var otherToken = (await other.JsonAsync()).GetProperty("access_token").GetString()!;
        Assert.That(await MeAsync(otherToken), Is.EqualTo(HttpStatusCode.OK));

        using var wrong = await person.PostAsync("/api/auth/change-password", new { current_password = "wrong", new_password = "four green bottles fell" });
        await wrong.ProblemAsync(403, "identity.wrong_password");
        Assert.That(await AuditedAsync("identity.password_check_failed", person.Account.ToString()), Is.EqualTo(1));
        using var common = await person.PostAsync("/api/auth/change-password", new { current_password = person.Password, new_password = "sunshine1" });
        Assert.That((await common.ProblemAsync(422, "identity.password_too_common")).FieldsOf(), Is.EqualTo(new[] { "new_password" }));
        var link = await People.ResetTokenAsync(_server, person);
        using var right = await person.PostAsync("/api/auth/change-password", new { current_password = person.Password, new_password = "four green bottles fell" });
        Assert.That(right.StatusCode, Is.EqualTo(HttpStatusCode.OK), await right.Content.ReadAsStringAsync());
        using var late = await _server.Client.PostAsync("/api/auth/reset-password/confirm", ApiServer.Json(JsonSerializer.Serialize(new { token = link, new_password = "ten grey geese at dawn" })));
        await late.ProblemAsync(401, "identity.reset_invalid");

        Assert.That((await MeAsync(person.Access), await MeAsync(otherToken)), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.Unauthorized)));
        using var old = await person.LoginAsync();
        await old.ProblemAsync(401, "identity.invalid_credentials");
        using var now = await person.LoginAsync("four green bottles fell");
        Assert.That(now.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Locks_out_whoever_guesses_the_password_in_an_open_session()
    {
        var person = await People.RegisterAsync(_server);
        for (var i = 0; i < 5; i++)
        {
            using var wrong = await person.PostAsync("/api/auth/mfa/disable", new { password = "wrong" });
            await wrong.ProblemAsync(403, "identity.wrong_password");
        }
        using var locked = await person.PostAsync("/api/auth/mfa/enrol", new { password = person.Password });
        await locked.ProblemAsync(429, "identity.too_many_logins");
    }

    [Test]
    public async Task Resets_a_password_by_mail_and_says_the_same_for_unknown_addresses()
    {
        var person = await People.RegisterAsync(_server);
        var token = await People.ResetTokenAsync(_server, person);
        async Task<string> AskAsync(string email)
        {
            using var answer = await _server.Client.PostAsync("/api/auth/reset-password", ApiServer.Json(JsonSerializer.Serialize(new { email })));
            return (int)answer.StatusCode + await answer.Content.ReadAsStringAsync();
        }
        var before = _hashing.Count;
        Assert.That(await AskAsync("unknown@example.org"), Is.EqualTo(await AskAsync(person.Email)));
        Assert.That(_hashing.Count, Is.EqualTo(before));

        Task<HttpResponseMessage> ConfirmAsync(string with) => _server.Client.PostAsync("/api/auth/reset-password/confirm", ApiServer.Json(JsonSerializer.Serialize(new { token = with, new_password = "ten grey geese at dawn" })));
        using var invented = await ConfirmAsync("fogp_invented");
        await invented.ProblemAsync(401, "identity.reset_invalid");
        Assert.That(_hashing.Count, Is.EqualTo(before), "nobody without a link makes us hash");
        var both = await Task.WhenAll(ConfirmAsync(token), ConfirmAsync(token));
        Assert.That(both.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 200, 401 }), "a link is good once");
        Assert.That(await MeAsync(person.Access), Is.EqualTo(HttpStatusCode.Unauthorized), "all sessions end");
        using var login = await person.LoginAsync("ten grey geese at dawn");
        Assert.That(login.StatusCode, Is.EqualTo(HttpStatusCode.OK));

        var late = await People.RegisterAsync(_server);
        var lateToken = await People.ResetTokenAsync(_server, late);
        _time.Wait(TimeSpan.FromMinutes(31));
        using var expired = await ConfirmAsync(lateToken);
        await expired.ProblemAsync(401, "identity.reset_invalid");
        Assert.That(Directory.GetFiles(Path.Combine(_server.Home, "mail")).Select(File.ReadAllText), Has.None.Contains("unknown@example.org"));
    }

    [Test]
    public async Task Asks_for_a_second_factor_once_it_is_confirmed()
    {
        var person = await People.RegisterAsync(_server);
        var secret = await person.SecretAsync();
        string Code(int step) => Totp.CodeAt(secret, Totp.StepAt(_time.GetUtcNow()) + step);
        using (var unconfirmed = await person.LoginAsync())
            Assert.That(unconfirmed.StatusCode, Is.EqualTo(HttpStatusCode.OK), "not before it is confirmed");
        using (var wrong = await person.PostAsync("/api/auth/mfa/confirm", new { code = "abcdef" }))
            Assert.That((await wrong.ProblemAsync(422, "identity.wrong_mfa_code")).FieldsOf(), Is.EqualTo(new[] { "code" }));
        var used = Code(0);
        using var confirmed = await person.PostAsync("/api/auth/mfa/confirm", new { code = used });
        var recovery = (await confirmed.JsonAsync()).GetProperty("recovery_codes").EnumerateArray().Select(c => c.GetString()!).ToList();
        Assert.That(recovery, Is.Unique.And.Count.EqualTo(10).And.All.Match("^[a-z2-7]{4}(-[a-z2-7]{4}){3}$"));

        using (var none = await person.LoginAsync())
            await none.ProblemAsync(401, "identity.mfa_required");
        using (var wrongPassword = await person.LoginAsync("wrong"))
            await wrongPassword.ProblemAsync(401, "identity.invalid_credentials");
        using (var replay = await person.LoginAsync(code: used))
            await replay.ProblemAsync(401, "identity.invalid_code");
        using (var old = await person.LoginAsync(code: Code(-3)))
            await old.ProblemAsync(401, "identity.invalid_code");
        _time.Wait(TimeSpan.FromSeconds(60));
        using (var right = await person.LoginAsync(code: Code(0)))
            Assert.That(right.StatusCode, Is.EqualTo(HttpStatusCode.OK), await right.Content.ReadAsStringAsync());

        var burning = await Task.WhenAll(person.LoginAsync(code: recovery[0]), person.LoginAsync(code: " " + recovery[0].ToUpperInvariant().Replace("-", "", StringComparison.Ordinal)));
        Assert.That(burning.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 200, 401 }), "burnt on use");
        using (var me = await person.Client.GetAsync("/api/auth/me"))
            Assert.That(((await me.JsonAsync()).GetProperty("mfa_enabled").GetBoolean(), (await me.JsonAsync()).GetProperty("recovery_codes_left").GetInt32()), Is.EqualTo((true, 9)));
        await using (var plain = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM identity.recovery_codes c WHERE c::text LIKE '%' || $1 || '%'"))
        {
            plain.Parameters.Add(new() { Value = recovery[1] });
            Assert.That(await plain.ExecuteScalarAsync(), Is.EqualTo(0L));
        }
        using (var again = await person.PostAsync("/api/auth/mfa/enrol", new { password = person.Password }))
            await again.ProblemAsync(409, "identity.mfa_enabled");

        using (var off = await person.PostAsync("/api/auth/mfa/disable", new { password = person.Password }))
            Assert.That(off.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var plainLogin = await person.LoginAsync();
        Assert.That(plainLogin.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await AuditedAsync("identity.mfa_enabled"), await AuditedAsync("identity.mfa_disabled", person.Account.ToString()), await AuditedAsync("identity.recovery_code_used", person.Account.ToString())), Is.EqualTo((1L, 1L, 1L)));
        using var nothing = await person.PostAsync("/api/auth/mfa/confirm", new { code = "123456" });
        await nothing.ProblemAsync(409, "identity.mfa_not_enrolled");
    }

    [Test]
    public async Task Lists_and_ends_sessions_of_ones_own()
    {
        var person = await People.RegisterAsync(_server);
        var stranger = await People.RegisterAsync(_server);
        var tokens = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            using var login = await person.LoginAsync();
            tokens.Add((await login.JsonAsync()).GetProperty("access_token").GetString()!);
        }
        async Task<List<JsonElement>> SessionsAsync()
        {
            using var answer = await person.Client.GetAsync("/api/auth/sessions");
            return [.. (await answer.JsonAsync()).GetProperty("sessions").EnumerateArray()];
        }
        var sessions = await SessionsAsync();
        Assert.That(sessions, Has.Count.EqualTo(4));
        Assert.That(sessions.Select(s => s.GetProperty("current").GetBoolean()), Is.EqualTo(new[] { false, false, false, true }), "latest first");
        Assert.That(sessions[0].GetProperty("peer").GetString(), Is.EqualTo("127.0.0.1"));
        var latest = sessions[0].GetProperty("id").GetGuid();
        using (var foreign = await stranger.Client.DeleteAsync($"/api/auth/sessions/{latest}"))
            await foreign.ProblemAsync(404, "identity.session_not_found");
        using (var one = await person.Client.DeleteAsync($"/api/auth/sessions/{latest}"))
            Assert.That(one.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await MeAsync(tokens[2]), await MeAsync(tokens[1])), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.OK)));
        using (var rest = await person.Client.DeleteAsync("/api/auth/sessions"))
            Assert.That(rest.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await MeAsync(tokens[0]), await MeAsync(tokens[1]), await MeAsync(person.Access), await MeAsync(stranger.Access)),
            Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.OK, HttpStatusCode.OK)));
        Assert.That(await SessionsAsync(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_log_that_is_being_followed_ends_with_the_session()
    {
        var person = await People.RegisterAsync(_server);
        using var other = await person.LoginAsync();
        using var second = _server.NewClient((await other.JsonAsync()).GetProperty("access_token").GetString());
        using var submitted = await person.PostAsync("/api/scheduler/jobs", new { name = "followed" });
        var job = (await submitted.JsonAsync()).GetProperty("jobId").GetString();
        using var stream = await person.Client.GetAsync($"/api/scheduler/jobs/{job}/logs?follow=true", HttpCompletionOption.ResponseHeadersRead);
        var end = stream.Content.ReadAsStringAsync();

        async Task StirAsync()
        {
            foreach (var status in new[] { "pause", "resume" })
                (await second.PatchAsync($"/api/scheduler/jobs/{job}", ApiServer.Json($$"""{"status":"{{status}}"}"""))).EnsureSuccessStatusCode();
        }
        await StirAsync();
        await Task.Delay(1100);
        await StirAsync();
        Assert.That(end.IsCompleted, Is.False);
        (await second.DeleteAsync("/api/auth/sessions")).EnsureSuccessStatusCode();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!end.IsCompleted)
        {
            await StirAsync();
            await Task.WhenAny(end, Task.Delay(200, patience.Token));
            patience.Token.ThrowIfCancellationRequested();
        }
        Assert.That(await end, Does.Not.Contain("event: end"));
    }

    [Test]
    public async Task Stores_no_secret()
    {
        var person = await People.RegisterAsync(_server);
        foreach (var secret in new[] { person.Access[5..], person.Refresh[5..], person.Password })
        {
            await using var search = _server.Database.DataSource.CreateCommand(
                """
                SELECT (SELECT count(*) FROM identity.users x WHERE x::text LIKE '%' || $1 || '%') + (SELECT count(*) FROM identity.sessions x WHERE x::text LIKE '%' || $1 || '%')
                     + (SELECT count(*) FROM identity.session_tokens x WHERE x::text LIKE '%' || $1 || '%') + (SELECT count(*) FROM audit.entries x WHERE x::text LIKE '%' || $1 || '%')
                """);
            search.Parameters.Add(new() { Value = secret });
            Assert.That(await search.ExecuteScalarAsync(), Is.EqualTo(0L));
        }
    }
}
