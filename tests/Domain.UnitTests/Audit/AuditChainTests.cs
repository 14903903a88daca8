using FogCompute.Domain.Audit;

namespace FogCompute.Domain.UnitTests.Audit;

public sealed class AuditChainTests
{
    private static readonly StoredAuditEntry Entry = new(
        7, DateTimeOffset.UnixEpoch.AddDays(20_000), Guid.Parse("0190f7a0-0000-7000-8000-000000000001"), "api_key", "k", "identity.account_created", "s", """{"a":"1","b":"2"}""");

    [Test]
    public void Every_member_counts_and_so_does_what_came_before()
    {
        byte[][] hashes =
        [
            AuditChain.HashOf(AuditChain.Origin, Entry),
            AuditChain.HashOf([.. Enumerable.Repeat((byte)1, 32)], Entry),
            .. new[]
            {
                Entry with { Id = 8 }, Entry with { At = Entry.At.AddMicroseconds(1) }, Entry with { Account = null }, Entry with { Caller = "user" }, Entry with { Actor = null }, Entry with { Actor = "" },
                Entry with { Action = "x.y" }, Entry with { Subject = null }, Entry with { Subject = "k", Actor = "s" }, Entry with { Details = "{}" }, Entry with { Details = """{"a":"1","b":2}""" },
                Entry with { Details = """{"a":"2","b":"1"}""" },
            }.Select(e => AuditChain.HashOf(AuditChain.Origin, e)),
        ];
        Assert.That(hashes.Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(hashes.Length));
    }

    [Test]
    public void Order_and_spacing_of_details_mean_nothing() =>
        Assert.That(AuditChain.HashOf(AuditChain.Origin, Entry with { Details = """{ "b": "2", "a": "1" }""" }), Is.EqualTo(AuditChain.HashOf(AuditChain.Origin, Entry)));

    [Test]
    public void An_entry_is_what_the_database_can_keep()
    {
        var entry = AuditEntry.Of(DateTimeOffset.UnixEpoch.AddTicks(7), null, "system", null, "x.y", "a\0b\uD800", new Dictionary<string, string> { ["long"] = new('x', 5000) });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(entry.At, Is.EqualTo(DateTimeOffset.UnixEpoch));
            Assert.That(entry.Subject, Is.EqualTo("a\uFFFDb\uFFFD"));
            Assert.That(entry.Details, Has.Length.LessThan(AuditEntry.LongestDetail + 20));
        }
    }
}
