using FogCompute.Infrastructure.Caching;
using Microsoft.Extensions.Configuration;

namespace FogCompute.Infrastructure.IntegrationTests.Caching;

public sealed class RedisOptionsTests
{
    [TestCase("redis://cache", "cache", 6379, null, 0, false)]
    [TestCase("redis://127.0.0.1:7000/3", "127.0.0.1", 7000, null, 3, false)]
    [TestCase("redis://:p%40ss%2Fw@cache:1/", "cache", 1, "p@ss/w", 0, false)]
    [TestCase("redis://default:pw@cache/15", "cache", 6379, "pw", 15, false)]
    [TestCase("rediss://[::1]:6380", "::1", 6380, null, 0, true)]
    public void Reads_a_url(string url, string host, int port, string? password, int database, bool tls) =>
        Assert.That(RedisOptions.Parse(url), Is.EqualTo(new RedisOptions(host, port, password, database, tls)));

    [TestCase("localhost:6379", "not a URL")]
    [TestCase("http://:s3cret@cache", "http://")]
    [TestCase("unix:///run/redis.sock", "unix://")]
    [TestCase("redis://", "no host")]
    [TestCase("redis://:s3cret@cache:99999", "port")]
    [TestCase("redis://:s3cret@cache/queue", "'queue'")]
    [TestCase("redis://:s3cret@cache/-1", "'-1'")]
    [TestCase("redis://anna:s3cret@cache", "'anna'")]
    [TestCase("redis://:s3cret@cache?ssl=true", "parameters")]
    public void Refuses_with_a_sentence_that_keeps_the_password(string url, string what) =>
        Assert.That(() => RedisOptions.Parse(url), Throws.InvalidOperationException.With.Message.Contains(what)
            .And.Message.StartsWith("REDIS_URL").And.Message.Contains("redis://:password@host:6379/0").And.Message.Not.Contains("s3cret"));

    [TestCase(null)]
    [TestCase("  ")]
    public void Nothing_set_is_nothing_used(string? url) =>
        Assert.That(RedisOptions.From(new ConfigurationBuilder().AddInMemoryCollection([new("REDIS_URL", url)]).Build()), Is.Null);
}
