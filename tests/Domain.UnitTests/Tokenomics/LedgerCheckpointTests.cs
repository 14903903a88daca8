using System.Security.Cryptography;
using System.Text;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Domain.UnitTests.Tokenomics;

public sealed class LedgerCheckpointTests
{
    private static SignedCheckpoint Signed(ECDsa key)
    {
        var spki = key.ExportSubjectPublicKeyInfo();
        var checkpoint = new LedgerCheckpoint(
            new DateOnly(2026, 3, 1), 42, SHA256.HashData("head"u8), Genesis.CapMicro, SHA256.HashData("balances"u8), new DateTimeOffset(2026, 3, 1, 0, 0, 7, TimeSpan.Zero), LedgerCheckpoint.KeyIdOf(spki));
        var bytes = checkpoint.Canonical();
        return new SignedCheckpoint(checkpoint, bytes, key.SignData(bytes, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence), spki);
    }

    [Test]
    public void A_signed_checkpoint_verifies_and_every_changed_field_shows()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var signed = Signed(key);
        Assert.That(signed.Fault(), Is.Null);
        var c = signed.Checkpoint;
        LedgerCheckpoint[] forged =
        [
            c with { Day = c.Day.AddDays(1) }, c with { Block = 43 }, c with { HeadHash = SHA256.HashData("x"u8) }, c with { SupplyMicro = c.SupplyMicro + 1 },
            c with { BalancesHash = SHA256.HashData("x"u8) }, c with { At = c.At.AddMicroseconds(1) }, c with { KeyId = new string('0', 64) },
        ];
        foreach (var f in forged)
        {
            Assert.That((signed with { Checkpoint = f }).Fault(), Is.Not.Null, f.ToString());
            Assert.That((signed with { Checkpoint = f, Signed = f.Canonical() }).Fault(), Is.Not.Null, f.ToString());
        }
        Assert.That((signed with { PublicKey = other.ExportSubjectPublicKeyInfo() }).Fault(), Is.Not.Null);
        Assert.That((signed with { Signature = Signed(other).Signature }).Fault(), Is.EqualTo("its signature does not hold"));
    }

    [Test]
    public void The_signed_text_is_what_the_documentation_shows()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var lines = Encoding.UTF8.GetString(Signed(key).Signed).Split('\n');
        Assert.That(lines[..3], Is.EqualTo(new[] { "fogcompute ledger checkpoint 1", "day 2026-03-01", "block 42" }));
        Assert.That((lines[4], lines[6], lines[8], lines.Length), Is.EqualTo(("supply 1000000000000", "at 2026-03-01T00:00:07.000000Z", "", 9)));
    }
}
