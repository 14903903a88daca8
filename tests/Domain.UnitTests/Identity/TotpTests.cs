using System.Text;
using FogCompute.Domain.Identity;

namespace FogCompute.Domain.UnitTests.Identity;

public sealed class TotpTests
{
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes("12345678901234567890");

    /// <summary>RFC 6238, appendix B, SHA-1.</summary>
    [TestCase(59L, "94287082")]
    [TestCase(1111111109L, "07081804")]
    [TestCase(1111111111L, "14050471")]
    [TestCase(1234567890L, "89005924")]
    [TestCase(2000000000L, "69279037")]
    [TestCase(20000000000L, "65353130")]
    public void Makes_the_codes_of_the_rfc(long seconds, string code)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(seconds);
        Assert.That(Totp.CodeAt(Secret, Totp.StepAt(now), digits: 8), Is.EqualTo(code));
        Assert.That(Totp.FindStep(Secret, code[2..], now, after: 0), Is.EqualTo(seconds / 30), "six digits are the last six of eight");
    }

    [Test]
    public void Takes_a_code_one_step_off_and_each_step_once()
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
        var step = Totp.StepAt(now);
        Assert.That(new[] { -2, -1, 0, 1, 2 }.Select(off => Totp.FindStep(Secret, Totp.CodeAt(Secret, step + off), now, 0) is not null), Is.EqualTo(new[] { false, true, true, true, false }));
        Assert.That(Totp.FindStep(Secret, Totp.CodeAt(Secret, step), now, after: step), Is.Null);
        Assert.That(Totp.FindStep(Secret, "", now, 0), Is.Null);
        Assert.That(Totp.FindStep(Secret, "ééé", now, 0), Is.Null);
    }

    /// <summary>RFC 4648, section 10, without padding.</summary>
    [TestCase("f", "MY")]
    [TestCase("fo", "MZXQ")]
    [TestCase("foo", "MZXW6")]
    [TestCase("foob", "MZXW6YQ")]
    [TestCase("fooba", "MZXW6YTB")]
    [TestCase("foobar", "MZXW6YTBOI")]
    public void Writes_base32(string text, string base32) => Assert.That(Totp.Encode(Encoding.ASCII.GetBytes(text)), Is.EqualTo(base32));

    [Test]
    public void Recovery_codes_are_long_all_different_and_forgiving()
    {
        var codes = Enumerable.Range(0, 1000).Select(_ => RecoveryCode.New()).ToList();
        Assert.That(codes, Is.Unique.And.All.Match("^[a-z2-7]{4}(-[a-z2-7]{4}){3}$"));
        Assert.That(RecoveryCode.HashOf(" ABCD efgh-IJKLmnop "), Is.EqualTo(RecoveryCode.HashOf("abcd-efgh-ijkl-mnop")));
    }

    [Test]
    public void Wrong_logins_lock_longer_each_time_up_to_a_bound()
    {
        static double Seconds(int failures) => LoginThrottle.OfName.LockAfter(failures).TotalSeconds;
        Assert.That(Enumerable.Range(1, 12).Select(Seconds), Is.EqualTo(new double[] { 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900 }));
        Assert.That(Seconds(int.MaxValue), Is.EqualTo(900));
        Assert.That((LoginThrottle.OfPeer.LockAfter(19), LoginThrottle.OfPeer.LockAfter(20), LoginThrottle.OfPeer.LockAfter(60)), Is.EqualTo((TimeSpan.Zero, TimeSpan.FromSeconds(30), TimeSpan.FromHours(1))));
    }
}
