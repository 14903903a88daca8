using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Domain.Identity;

/// <summary>Time-based one-time passwords (RFC 6238 over RFC 4226): HMAC-SHA1, 30 s, 6 digits, which is what every authenticator app assumes.</summary>
public static class Totp
{
    public const int Digits = 6;
    public const int StepSeconds = 30;

    /// <summary>Bytes of a secret: the length of the hash, as RFC 4226 recommends.</summary>
    public const int SecretBytes = 20;

    /// <summary>Steps that a clock may be off, either way.</summary>
    private const int Tolerance = 1;

    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    public static long StepAt(DateTimeOffset now) => now.ToUnixTimeSeconds() / StepSeconds;

    /// <param name="secret">The shared secret.</param>
    /// <param name="step">Number of the time step.</param>
    /// <param name="digits">6, or 8 as in the RFC's test vectors.</param>
    public static string CodeAt(byte[] secret, long step, int digits = Digits)
    {
        Span<byte> counter = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(counter, step);
        Span<byte> hash = stackalloc byte[HMACSHA1.HashSizeInBytes];
#pragma warning disable CA5350 // The RFC's default, and the only one that authenticator apps agree on; its weakness (collisions) does not matter here.
        HMACSHA1.HashData(secret, counter, hash);
#pragma warning restore CA5350
        var number = BinaryPrimitives.ReadInt32BigEndian(hash[(hash[^1] & 0x0F)..]) & int.MaxValue;
        return (number % (int)Math.Pow(10, digits)).ToString("D" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    /// <summary>The step near <paramref name="now"/> to which the code belongs, if it is later than <paramref name="after"/>; else null.</summary>
    public static long? FindStep(byte[] secret, string code, DateTimeOffset now, long after)
    {
        var current = StepAt(now);
        for (var step = current - Tolerance; step <= current + Tolerance; step++)
        {
            if (step > after && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(CodeAt(secret, step)), Encoding.ASCII.GetBytes(code)))
                return step;
        }
        return null;
    }

    /// <summary>The secret as people type it into an app (RFC 4648 base32; 20 bytes need no padding).</summary>
    public static string Encode(ReadOnlySpan<byte> secret)
    {
        var text = new StringBuilder((secret.Length * 8 + 4) / 5);
        var (buffer, bits) = (0, 0);
        foreach (var b in secret)
        {
            buffer = (buffer << 8) | b;
            for (bits += 8; bits >= 5; bits -= 5)
                text.Append(Base32[(buffer >> (bits - 5)) & 31]);
            buffer &= (1 << bits) - 1;
        }
        if (bits > 0)
            text.Append(Base32[(buffer << (5 - bits)) & 31]);
        return text.ToString();
    }

    /// <summary>What a QR code for an authenticator app holds (Google Authenticator's key URI format).</summary>
    public static string UriOf(string username, byte[] secret) =>
        $"otpauth://totp/FogCompute:{Uri.EscapeDataString(username)}?secret={Encode(secret)}&issuer=FogCompute&algorithm=SHA1&digits={Digits}&period={StepSeconds}";
}

/// <summary>
/// Ten codes for the day the phone is lost, each good once: 80 random bits in base32, <c>abcd-efgh-ijkm-npqr</c>. So many bits that a plain
/// SHA-256 at rest is safe.
/// </summary>
public sealed class RecoveryCode
{
    public const int Count = 10;
    private const int RandomBytes = 10;

    private RecoveryCode() => CodeHash = [];

    public AccountId AccountId { get; private set; }

    /// <summary>SHA-256, 32 bytes.</summary>
    public byte[] CodeHash { get; private set; }

    public static RecoveryCode Of(AccountId account, string code) => new() { AccountId = account, CodeHash = HashOf(code) };

    public static string New() => string.Join('-', Totp.Encode(RandomNumberGenerator.GetBytes(RandomBytes)).ToLowerInvariant().Chunk(4).Select(c => new string(c)));

    /// <summary>Case, blanks and dashes do not matter.</summary>
    public static byte[] HashOf(string code) =>
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(code.Where(c => c != '-' && !char.IsWhiteSpace(c))).ToLowerInvariant()));
}
