using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Domain.Identity;

/// <summary>
/// Ledger addresses: <c>fog1</c>, 32 characters that name the account, 6 that check them, in lower-case Crockford base32
/// (no i, l, o, u, so nothing is misread). Body = first 160 bits of SHA-256("fog1:account:" ‖ id), check = first 30 bits of
/// SHA-256("fog1:check:" ‖ body): one mistyped character is found with probability 1 − 2⁻³⁰.
/// </summary>
public static class AccountAddress
{
    public const string Prefix = "fog1";

    /// <summary>Length of the whole address.</summary>
    public const int Length = 42;

    private const int BodyBytes = 20;
    private const int CheckCharacters = 6;
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string Of(AccountId account)
    {
        var hash = SHA256.HashData([.. "fog1:account:"u8, .. account.Value.ToByteArray(bigEndian: true)]);
        var body = Encode(hash.AsSpan(0, BodyBytes));
        return Prefix + body + Check(body);
    }

    /// <summary>Whether the text has the form and the right check characters; says nothing about whether such an account exists.</summary>
    public static bool IsValid(string? address)
    {
        if (address is not { Length: Length } || !address.StartsWith(Prefix, StringComparison.Ordinal))
            return false;
        var payload = address[Prefix.Length..];
        if (payload.Any(c => !Alphabet.Contains(c)))
            return false;
        var body = payload[..^CheckCharacters];
        return payload[^CheckCharacters..] == Check(body);
    }

    private static string Check(string body) =>
        Encode(SHA256.HashData([.. "fog1:check:"u8, .. Encoding.ASCII.GetBytes(body)]).AsSpan(0, 5))[..CheckCharacters];

    /// <summary>Five bits a character, most significant first; the input is a whole number of 40-bit groups.</summary>
    private static string Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length * 8 / 5);
        var buffer = 0;
        var bits = 0;
        foreach (var b in bytes)
        {
            buffer = (buffer << 8) | b;
            bits += 8;
            while (bits >= 5)
            {
                bits -= 5;
                text.Append(Alphabet[(buffer >> bits) & 31]);
            }
            buffer &= (1 << bits) - 1;
        }
        return text.ToString();
    }
}
