using FogCompute.Infrastructure.Persistence;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence;

[TestFixture]
public sealed class DatabaseUrlTests
{
    [TestCase("postgresql://u:p@db.example:5433/fog", "db.example", 5433, "u", "p", "fog")]
    [TestCase("postgres://u:p@db.example/fog", "db.example", 5432, "u", "p", "fog")]
    [TestCase("postgresql+asyncpg://u:p@db.example/fog", "db.example", 5432, "u", "p", "fog")]
    [TestCase("postgresql://us%40er:p%3A%2Fw%25@db.example/my%20db", "db.example", 5432, "us@er", "p:/w%", "my db")]
    [TestCase("postgresql://u:p:q@db.example/fog", "db.example", 5432, "u", "p:q", "fog")]
    [TestCase("postgresql://u@[::1]:5433/fog", "::1", 5433, "u", null, "fog")]
    [TestCase("postgresql:///fog?host=/var/run/postgresql&user=me", "/var/run/postgresql", 5432, "me", null, "fog")]
    [TestCase("postgresql://u@%2Fvar%2Frun%2Fpostgresql/fog", "/var/run/postgresql", 5432, "u", null, "fog")]
    [TestCase("postgresql:///fog", "localhost", 5432, null, null, "fog")]
    [TestCase("Host=db.example;Port=5433;Username=u;Password=p;Database=fog", "db.example", 5433, "u", "p", "fog")]
    public void Understands(string url, string host, int port, string? user, string? password, string database)
    {
        var parts = new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString(url));
        Assert.Multiple(() =>
        {
            Assert.That(parts.Host, Is.EqualTo(host));
            Assert.That(parts.Port, Is.EqualTo(port));
            Assert.That(parts.Username, Is.EqualTo(user));
            Assert.That(parts.Password, Is.EqualTo(password));
            Assert.That(parts.Database, Is.EqualTo(database));
        });
    }

    [TestCase("verify-full", SslMode.VerifyFull)]
    [TestCase("verify-ca", SslMode.VerifyCA)]
    [TestCase("require", SslMode.Require)]
    [TestCase("disable", SslMode.Disable)]
    public void Takes_the_ssl_modes_of_libpq(string mode, SslMode expected) =>
        Assert.That(new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString($"postgresql://u@h/d?sslmode={mode}")).SslMode, Is.EqualTo(expected));

    [Test]
    public void Takes_other_parameters()
    {
        var parts = new NpgsqlConnectionStringBuilder(
            DatabaseUrl.ToConnectionString("postgresql://u@h/d?connect_timeout=7&application_name=my%20app&options=-c%20work_mem%3D1MB"));
        Assert.That((parts.Timeout, parts.ApplicationName, parts.Options), Is.EqualTo((7, "my app", "-c work_mem=1MB")));
    }

    [TestCase("mysql://u:geheim@h/d", "mysql")]
    [TestCase("postgresql://u:geheim@h:99999/d", "99999")]
    [TestCase("postgresql://u:geheim@h:x/d", "port")]
    [TestCase("postgresql://u:geheim@h/d?colour=blue", "colour")]
    [TestCase("postgresql://u:geheim@h/d?sslmode=perhaps", "sslmode")]
    [TestCase("postgresql://u:geheim@a:1,b:2/d", "several hosts")]
    [TestCase("just some words geheim", "neither")]
    public void Refuses_what_it_does_not_understand_without_showing_the_password(string url, string named) =>
        Assert.That(() => DatabaseUrl.ToConnectionString(url),
            Throws.InvalidOperationException.With.Message.Contains(named).And.Message.Contains("DATABASE_URL").And.Message.Not.Contains("geheim"));
}
