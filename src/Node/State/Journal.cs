using System.Buffers;
using System.Text.Json;
using FogCompute.Protocol;

namespace FogCompute.Node.State;

/// <summary>A file that has to be uploaded before its attempt may be reported. <c>File</c> is a name in the attempt's outbox or log folder.</summary>
/// <param name="Kind"><c>output</c>, <c>stdout</c> or <c>stderr</c>.</param>
public sealed record PendingFile(string Kind, string File, string Sha256, long Size);

/// <summary>A finished attempt that the control plane has not acknowledged.</summary>
public sealed record PendingReport(AttemptReport Report, IReadOnlyList<PendingFile> Files, DateTimeOffset StageOutUntil);

/// <summary>A lease on disk. Expiry is wall-clock time because a restart may be a reboot.</summary>
public sealed record StoredLease(LeaseMessage Lease, DateTimeOffset ExpiresAt);

/// <summary>What survived a restart.</summary>
public sealed record JournalContents(IReadOnlyList<StoredLease> Leases, IReadOnlyList<PendingReport> Reports);

/// <summary>
/// Append-only file of leases and unacknowledged results: one JSON line per fact. <c>l</c> a lease was accepted, <c>x</c> leases live longer,
/// <c>d</c> an attempt is done, <c>f</c> an attempt is forgotten. Appends go to memory; <see cref="Flush"/> hands all of them to the system in one
/// write (survives kill -9 of the agent) and on request to the disk (survives a power cut). A torn last line, which only a crash during a
/// write leaves, ends the reading. The file is rewritten when it is mostly history.
/// </summary>
public sealed class Journal : IDisposable
{
    private const long CompactAbove = 4 << 20;
    private static readonly JsonSerializerOptions Format = new(WireJson.Requests) { WriteIndented = false };

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, (byte[]? Lease, byte[]? Done)> _live = [];
    private readonly ArrayBufferWriter<byte> _buffer = new(64 * 1024);
    private FileStream _file;
    private long _liveBytes;
    private byte[]? _extension;
    private long _appended;
    private long _onDisk;

    private Journal(string path, FileStream file)
    {
        _path = path;
        _file = file;
    }

    private sealed record Line
    {
        public StoredLease? L { get; init; }
        public DateTimeOffset? X { get; init; }
        public PendingReport? D { get; init; }
        public Guid? F { get; init; }
    }

    /// <summary>Size of the file, bytes; for tests and status.</summary>
    public long FileBytes
    {
        get
        {
            lock (_gate)
                return _file.Length;
        }
    }

    /// <summary>Reads what survived and opens the file for more, rewritten to just that.</summary>
    public static Journal Open(string path, NodeLog log, out JournalContents contents)
    {
        var leases = new Dictionary<Guid, StoredLease>();
        var reports = new Dictionary<Guid, PendingReport>();
        if (File.Exists(path))
        {
            var number = 0;
            foreach (var text in File.ReadLines(path))
            {
                number++;
                Line? line;
                try
                {
                    line = JsonSerializer.Deserialize<Line>(text, Format);
                }
                catch (JsonException)
                {
                    log.Warning("journal_torn", $"Line {number} of the journal is torn, as after a crash during a write; the lines before it are used.");
                    break;
                }
                if (line?.L is { } lease)
                    leases[lease.Lease.AttemptId] = lease;
                else if (line?.X is { } until)
                    foreach (var (id, stored) in leases)
                        leases[id] = stored with { ExpiresAt = until > stored.ExpiresAt ? until : stored.ExpiresAt };
                else if (line?.D is { } done)
                    reports[done.Report.AttemptId] = done;
                else if (line?.F is { } gone)
                {
                    leases.Remove(gone);
                    reports.Remove(gone);
                }
            }
        }
        contents = new JournalContents([.. leases.Values.Where(l => !reports.ContainsKey(l.Lease.AttemptId))], [.. reports.Values]);

        var journal = new Journal(path, Create(path + ".new"));
        foreach (var lease in contents.Leases)
            journal.Accepted(lease);
        foreach (var report in contents.Reports)
            journal.Done(report);
        journal.Flush(toDisk: true);
        File.Move(path + ".new", path, overwrite: true);
        return journal;
    }

    /// <summary>Takes in a lease; the answer tells <see cref="EnsureOnDisk"/> which one.</summary>
    public long Accepted(StoredLease lease) => Append(lease.Lease.AttemptId, new Line { L = lease }, (old, bytes) => (bytes, old.Done));

    /// <summary>All leases held now live until this time.</summary>
    public void Extended(DateTimeOffset until)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(new Line { X = until }, Format);
        lock (_gate)
        {
            _extension = bytes;
            Write(bytes);
        }
    }

    /// <summary>The attempt ended; its lease line is no longer needed.</summary>
    public long Done(PendingReport report) => Append(report.Report.AttemptId, new Line { D = report }, (_, bytes) => (null, bytes));

    /// <summary>The attempt is settled (acknowledged, stale, or handed back).</summary>
    public void Forget(Guid attempt)
    {
        lock (_gate)
        {
            if (!_live.Remove(attempt, out var old))
                return;
            _liveBytes -= Length(old);
            Write(JsonSerializer.SerializeToUtf8Bytes(new Line { F = attempt }, Format));
        }
    }

    /// <summary>Waits until the disk has this line. Lines that came in together go in one write: the first to ask pays for all of them.</summary>
    /// <param name="line">As <see cref="Accepted"/> or <see cref="Done"/> answered.</param>
    public void EnsureOnDisk(long line)
    {
        lock (_gate)
            if (_onDisk < line)
                Flush(toDisk: true);
    }

    /// <summary>Hands everything appended so far to the system; with <paramref name="toDisk"/> waits until the disk has it.</summary>
    public void Flush(bool toDisk)
    {
        lock (_gate)
        {
            if (_buffer.WrittenCount > 0)
            {
                _file.Write(_buffer.WrittenSpan);
                _buffer.ResetWrittenCount();
            }
            if (toDisk && _onDisk < _appended)
            {
                RandomAccess.FlushToDisk(_file.SafeFileHandle);
                _onDisk = _appended;
            }
            if (_file.Length > CompactAbove && _file.Length > 4 * _liveBytes)
                Compact();
        }
    }

    public void Dispose()
    {
        Flush(toDisk: true);
        _file.Dispose();
    }

    private long Append(Guid attempt, Line line, Func<(byte[]? Lease, byte[]? Done), byte[], (byte[]? Lease, byte[]? Done)> merge)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(line, Format);
        lock (_gate)
        {
            var old = _live.GetValueOrDefault(attempt);
            var entry = merge(old, bytes);
            _liveBytes += Length(entry) - Length(old);
            _live[attempt] = entry;
            Write(bytes);
            return _appended;
        }
    }

    private void Write(byte[] line)
    {
        _appended++;
        _buffer.Write(line);
        _buffer.Write("\n"u8);
    }

    private void Compact()
    {
        var draft = Create(_path + ".new");
        foreach (var (lease, _) in _live.Values)
            Put(lease);
        // After the leases, because it extends those before it in the file; it never shortens one.
        Put(_extension);
        foreach (var (_, done) in _live.Values)
            Put(done);
        draft.Write(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
        draft.Flush(flushToDisk: true);
        _onDisk = _appended;
        File.Move(_path + ".new", _path, overwrite: true);
        _file.Dispose();
        _file = draft;

        void Put(byte[]? line)
        {
            if (line is not null)
                Write(line);
        }
    }

    private static FileStream Create(string path) => new(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
    private static long Length((byte[]? Lease, byte[]? Done) entry) => (entry.Lease?.Length ?? 0) + (entry.Done?.Length ?? 0);
}
