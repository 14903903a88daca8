using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace FogCompute.Domain.Audit;

/// <summary>An entry as stored. <paramref name="Details"/> is JSON text; its members are hashed by name and value, so that their order and spacing mean nothing.</summary>
public sealed record StoredAuditEntry(long Id, DateTimeOffset At, Guid? Account, string Caller, string? Actor, string Action, string? Subject, string Details);

/// <summary>
/// The hash chain over the audit log: hash = SHA-256(previous hash ‖ the entry's canonical bytes). Integers little-endian, times as microseconds
/// since 1970, texts as length and UTF-8, absent values as length −1; so no two different entries have the same bytes.
/// </summary>
public static class AuditChain
{
    public const int HashSize = 32;

    /// <summary>What the first entry follows.</summary>
    public static byte[] Origin => new byte[HashSize];

    public static byte[] HashOf(byte[] previous, StoredAuditEntry entry)
    {
        using var bytes = new MemoryStream(512);
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(previous);
        writer.Write(entry.Id);
        writer.Write((entry.At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        Text(writer, entry.Account?.ToString("D"));
        Text(writer, entry.Caller);
        Text(writer, entry.Actor);
        Text(writer, entry.Action);
        Text(writer, entry.Subject);
        using (var details = JsonDocument.Parse(entry.Details))
        {
            var members = details.RootElement.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal).ToList();
            writer.Write(members.Count);
            foreach (var member in members)
            {
                Text(writer, member.Name);
                // The kind too: "5" and 5 are different things to have recorded.
                writer.Write((byte)member.Value.ValueKind);
                Text(writer, member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString() : member.Value.GetRawText());
            }
        }
        writer.Flush();
        return SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    private static void Text(BinaryWriter writer, string? text)
    {
        if (text is null)
        {
            writer.Write(-1);
            return;
        }
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }
}
