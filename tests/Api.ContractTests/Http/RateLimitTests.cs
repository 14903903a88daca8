using System.Net;
using FogCompute.Api.Http;
using FogCompute.Application.Common.Security;
using FogCompute.Infrastructure.Caching;
using FogCompute.Testing;
using Microsoft.Extensions.Configuration;

namespace FogCompute.Api.ContractTests.Http;

public sealed class RateLimitTests
{
    private ApiServer _server = null!;

    // An hour per token, so that none comes back while a test runs.
    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(["--FOG_RATE_USER=5/18000", "--FOG_RATE_DEVICE=3/10800", "--FOG_RATE_ANONYMOUS=4/14400", "--FOG_RATE_SIGN_IN=2/7200", "--FOG_TRUSTED_PROXIES=127.0.0.1"]);

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static Task<HttpResponseMessage> FromAsync(HttpClient client, string address, string path = "/api/identity/whoami")
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-Forwarded-For", address);
        return client.SendAsync(request);
    }

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();

    [Test]
    public async Task A_key_is_told_what_is_left_and_refused_when_nothing_is()
    {
        var (_, member, _) = await _server.NewMemberAsync("limited");
        for (var left = 4; left >= 0; left--)
        {
            using var answer = await member.GetAsync(left == 2 ? "/api/scheduler/jobs/0190f7a0-0000-7000-8000-000000000042" : "/api/identity/whoami");
            using (Assert.EnterMultipleScope())
            {
                Assert.That(answer.StatusCode, Is.EqualTo(left == 2 ? HttpStatusCode.NotFound : HttpStatusCode.OK));
                Assert.That(Header(answer, "RateLimit-Policy"), Is.EqualTo("\"user\";q=5;w=18000"));
                Assert.That(Header(answer, "RateLimit"), Does.Match($"^\"user\";r={left};t={(5 - left) * 3600 / 100}\\d\\d$").Or.Match($"^\"user\";r={left};t={((5 - left) * 3600 / 100) - 1}\\d\\d$"));
            }
        }
        using var refused = await member.GetAsync("/api/identity/whoami");
        await refused.ProblemAsync(429, "common.rate_limited");
        Assert.That(refused.Headers.RetryAfter?.Delta, Is.GreaterThan(TimeSpan.FromMinutes(55)).And.LessThanOrEqualTo(TimeSpan.FromHours(1)));
        Assert.That(Header(refused, "RateLimit"), Does.StartWith("\"user\";r=0;t="));

        var (_, other, _) = await _server.NewMemberAsync("neighbour");
        Assert.That((await other.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK), "another key has its own bucket");
    }

    [Test]
    public async Task Each_device_has_its_own_bucket()
    {
        using var one = _server.NewClient(DevicesByName.Prefix + "one");
        using var two = _server.NewClient(DevicesByName.Prefix + "two");
        for (var i = 0; i < 3; i++)
            Assert.That((await one.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((int)(await one.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(429));
        Assert.That((await two.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Strangers_share_the_bucket_of_their_address_and_signing_in_has_a_narrower_one()
    {
        for (var i = 0; i < 4; i++)
            Assert.That((await FromAsync(_server.Client, "192.0.2.1")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((int)(await FromAsync(_server.Client, "192.0.2.1")).StatusCode, Is.EqualTo(429));
        Assert.That((await FromAsync(_server.Client, "192.0.2.2")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        // What the client itself claims to the left of what the proxy saw is not believed.
        Assert.That((int)(await FromAsync(_server.Client, "198.51.100.7, 192.0.2.1")).StatusCode, Is.EqualTo(429));

        for (var i = 0; i < 4; i++)
            _ = await FromAsync(_server.Client, $"2001:db8:0:1::{i}");
        Assert.That((int)(await FromAsync(_server.Client, "2001:db8:0:1:ffff::9")).StatusCode, Is.EqualTo(429), "one network, one bucket");
        Assert.That((await FromAsync(_server.Client, "2001:db8:0:2::1")).StatusCode, Is.EqualTo(HttpStatusCode.OK));

        for (var i = 0; i < 2; i++)
            Assert.That((int)(await FromAsync(_server.Client, "192.0.2.3", "/api/auth/none")).StatusCode, Is.Not.EqualTo(429));
        using var refused = await FromAsync(_server.Client, "192.0.2.3", "/api/auth/none");
        await refused.ProblemAsync(429, "common.rate_limited");
        Assert.That(Header(refused, "RateLimit-Policy"), Does.StartWith("\"sign-in\";q=2"));
    }

    [Test]
    public async Task Bad_tokens_stop_being_looked_up()
    {
        using var guesser = _server.NewClient("fogk_0000000000000000000000000000000000000000000");
        var codes = new List<int>();
        for (var i = 0; i < 6; i++)
            codes.Add((int)(await FromAsync(guesser, "203.0.113.5")).StatusCode);
        Assert.That(codes, Is.EqualTo(new[] { 401, 401, 401, 401, 429, 429 }));
        Assert.That((int)(await FromAsync(guesser, "203.0.113.6")).StatusCode, Is.EqualTo(401), "others still get the answer they need");
        Assert.That((int)(await FromAsync(guesser, "203.0.113.5", "/metrics")).StatusCode, Is.EqualTo(429), "no way around");
        codes.Clear();
        for (var i = 0; i < 6; i++)
            codes.Add((int)(await FromAsync(guesser, "203.0.113.7", "/metrics")).StatusCode);
        Assert.That(codes, Is.EqualTo(new[] { 401, 401, 401, 401, 429, 429 }));
    }

    [Test]
    public async Task The_local_operator_and_what_is_not_the_api_are_not_limited()
    {
        for (var i = 0; i < 12; i++)
        {
            using var answer = await _server.Client.GetAsync(i % 2 == 0 ? "/api/identity/whoami" : "/livez");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(answer.Headers.Contains("RateLimit"), Is.False);
        }
    }

    [Test]
    public async Task A_bucket_fills_again_and_memory_is_bounded()
    {
        var time = new ManualTimeProvider();
        var buckets = new LocalTokenBuckets(time);
        var policy = new BucketPolicy("p", 2, 0.5);
        Assert.That(await buckets.TakeAsync(policy, "a", default), Is.EqualTo(new BucketAnswer(true, 1, TimeSpan.Zero)));
        Assert.That(await buckets.TakeAsync(policy, "a", default), Is.EqualTo(new BucketAnswer(true, 0, TimeSpan.FromSeconds(2))));
        Assert.That(await buckets.TakeAsync(policy, "a", default), Is.EqualTo(new BucketAnswer(false, 0, TimeSpan.FromSeconds(2))));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.That((await buckets.TakeAsync(policy, "a", default)).Allowed, Is.True);
        time.Advance(TimeSpan.FromHours(1));
        Assert.That((await buckets.TakeAsync(policy, "a", default)).Remaining, Is.EqualTo(1), "never more than its capacity");

        Assert.That((await buckets.TakeAsync(policy, "a", default)).Remaining, Is.Zero);
        for (var i = 0; i < 3 * LocalTokenBuckets.MostBuckets; i++)
        {
            _ = await buckets.TakeAsync(policy, "flood-" + i, default);
            if (i % 1000 == 0)
                Assert.That((await buckets.TakeAsync(policy, "a", default)).Allowed, Is.False, "a flood of other keys does not fill a bucket that is in use");
        }
        Assert.That(buckets.Count, Is.LessThanOrEqualTo(2 * LocalTokenBuckets.MostBuckets + 1));
    }

    [TestCase("0/60")]
    [TestCase("10")]
    [TestCase("10/0")]
    [TestCase("ten/60")]
    public void A_setting_outside_its_range_is_named(string value) =>
        Assert.That(() => RateSettings.Read(new ConfigurationBuilder().AddInMemoryCollection([new("FOG_RATE_USER", value)]).Build()), Throws.TypeOf<ConfigurationException>().With.Message.Contains("FOG_RATE_USER").And.Message.Contains(value));

    [Test]
    public void Off_is_off() =>
        Assert.That(RateSettings.Read(new ConfigurationBuilder().AddInMemoryCollection([new("FOG_RATE_DEVICE", "off")]).Build()).Device, Is.Null);
}
