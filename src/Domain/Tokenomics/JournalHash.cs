using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Domain.Tokenomics;

/// <summary>One journal line as stored: account by row id, and by what the row says it is.</summary>
public readonly record struct JournalPosting(long AccountId, string AccountKind, Guid? Owner, long Amount);

/// <summary>One journal transfer as stored; postings in ascending account id.</summary>
public sealed record JournalTransfer(
    long Number, string Kind, string IdempotencyKey, Guid? Job, int? TaskIndex, string? Cause, DateTimeOffset At, IReadOnlyList<JournalPosting> Postings);

/// <summary>A sealed block: covers every transfer numbered <paramref name="First"/> to <paramref name="Last"/>.</summary>
public sealed record JournalBlock(long Number, long First, long Last, int Transfers, byte[] PreviousHash, byte[] Hash, DateTimeOffset SealedAt);

/// <summary>
/// The hash of a block: SHA-256 over previous hash ‖ block number ‖ first ‖ last ‖ sealing time ‖ each transfer's canonical bytes ‖ count.
/// Canonical bytes: integers little-endian, times as microseconds since 1970, strings as length and UTF-8, absent values as length −1 or a
/// zero flag; so no two different journals have the same bytes. Cost: O(bytes), about 60 per posting.
/// </summary>
public sealed class JournalHash : IDisposable
{
    public const int Size = 32;

    private readonly IncrementalHash _sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _buffer = new byte[1024];
    private int _used;

    /// <summary>What the first block points back to.</summary>
    public static byte[] Origin => new byte[Size];

    public int Transfers { get; private set; }

    public void Begin(byte[] previousHash, long block, long first, long last, DateTimeOffset sealedAt)
    {
        Transfers = 0;
        _sha.AppendData(previousHash);
        Int64(block);
        Int64(first);
        Int64(last);
        Instant(sealedAt);
    }

    public void Append(JournalTransfer transfer)
    {
        Transfers++;
        Int64(transfer.Number);
        Text(transfer.Kind);
        Text(transfer.IdempotencyKey);
        Id(transfer.Job);
        Int64(transfer.TaskIndex ?? -1);
        Text(transfer.Cause);
        Instant(transfer.At);
        Int64(transfer.Postings.Count);
        foreach (var posting in transfer.Postings)
        {
            Int64(posting.AccountId);
            Text(posting.AccountKind);
            Id(posting.Owner);
            Int64(posting.Amount);
        }
        if (_used > 16_384)
            Flush();
    }

    public byte[] End()
    {
        Int64(Transfers);
        Flush();
        return _sha.GetHashAndReset();
    }

    public void Dispose() => _sha.Dispose();

    private void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Room(8), value);
        _used += 8;
    }

    private void Instant(DateTimeOffset at) => Int64((at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);

    private void Id(Guid? id)
    {
        var room = Room(17);
        room[0] = id is null ? (byte)0 : (byte)1;
        (id ?? Guid.Empty).TryWriteBytes(room[1..], bigEndian: true, out _);
        _used += 17;
    }

    private void Text(string? text)
    {
        if (text is null)
        {
            Int64(-1);
            return;
        }
        var bytes = Encoding.UTF8.GetByteCount(text);
        Int64(bytes);
        Encoding.UTF8.GetBytes(text, Room(bytes));
        _used += bytes;
    }

    private Span<byte> Room(int bytes)
    {
        if (_buffer.Length - _used < bytes)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _used + bytes));
        return _buffer.AsSpan(_used);
    }

    private void Flush()
    {
        _sha.AppendData(_buffer.AsSpan(0, _used));
        _used = 0;
    }
}
