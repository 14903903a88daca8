namespace FogCompute.Protocol;

/// <summary><c>POST /api/scheduler/nodes/{id}/progress</c>: state changes and log tails of running attempts, batched (at most 256).</summary>
public sealed record ProgressRequest
{
    public required IReadOnlyList<AttemptProgress> Items { get; init; }
}

/// <summary>Where an attempt is: <c>staging</c>, <c>running</c> or <c>uploading</c>.</summary>
public sealed record AttemptProgress
{
    public required Guid AttemptId { get; init; }
    public required int Epoch { get; init; }
    public required string State { get; init; }
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Last lines of stdout and stderr interleaved, at most 16 KiB; null when unchanged.</summary>
    public string? LogTail { get; init; }

    /// <summary>Bytes written to the log so far; lets a follower print only what is new.</summary>
    public long LogBytes { get; init; }
}

/// <summary>Answer to progress: the attempts that are no longer this device's and must stop.</summary>
public sealed record ProgressResponse
{
    public required IReadOnlyList<Revocation> Revoked { get; init; }
}

/// <summary><c>POST /api/scheduler/nodes/{id}/reports</c>: ends of attempts, batched (at most 256). Safe to repeat.</summary>
public sealed record ReportRequest
{
    public required IReadOnlyList<AttemptReport> Items { get; init; }
}

/// <summary>Words for <see cref="AttemptReport.Outcome"/>; each spends a different counter.</summary>
public static class AttemptOutcomes
{
    /// <summary>The payload ended with exit code 0 and its outputs are uploaded.</summary>
    public const string Succeeded = "succeeded";

    /// <summary>The payload's own fault: non-zero exit, a limit of the job exceeded, a missing output. Spends the requester's retries.</summary>
    public const string Failed = "failed";

    /// <summary>The payload ran past its wall limit. Spends the requester's retries.</summary>
    public const string TimedOut = "timed_out";

    /// <summary>The owner took the machine back, or the agent was stopped. Costs nobody anything.</summary>
    public const string Evicted = "evicted";

    /// <summary>
    /// The payload ended with exit code 85 to be started again (reason <c>checkpointed</c>), or the pool took it back (reason <c>preempted</c>). Costs nobody anything.
    /// </summary>
    public const string Preempted = "preempted";

    /// <summary>The device did not start it (no such runtime, policy changed). Costs nobody anything.</summary>
    public const string Declined = "declined";

    /// <summary>The device's fault: stage-in or stage-out failed, sandbox could not be set up. Costs the owner availability.</summary>
    public const string DeviceError = "device_error";

    /// <summary>Stopped because the server revoked it.</summary>
    public const string Cancelled = "cancelled";

    public static readonly IReadOnlyList<string> All = [Succeeded, Failed, TimedOut, Evicted, Preempted, Declined, DeviceError, Cancelled];
}

/// <summary>How one attempt ended, and the device's signature over it (<see cref="Receipt"/>).</summary>
public sealed record AttemptReport
{
    public required Guid AttemptId { get; init; }
    public required int Epoch { get; init; }
    public required string Outcome { get; init; }

    /// <summary>Typed reason for every outcome but success, for example <c>exit_code</c>, <c>memory_limit</c>, <c>output_limit</c>, <c>on_battery</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>One sentence for a person; at most 500 characters.</summary>
    public string? Message { get; init; }

    public int? ExitCode { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Measured wall time of the run itself, milliseconds.</summary>
    public long WallMs { get; init; }

    /// <summary>Measured CPU time, milliseconds.</summary>
    public long CpuMs { get; init; }

    /// <summary>Highest memory seen, bytes; null when it could not be measured.</summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>SHA-256 over the output manifest (see <see cref="OutputManifest"/>), 64 lower-case hex digits; null unless succeeded.</summary>
    public string? OutputDigest { get; init; }

    public IReadOnlyList<OutputFile> Outputs { get; init; } = [];

    /// <summary>Archive of the checkpoint folder, uploaded before this report; only with <c>preempted</c> and <c>evicted</c>.</summary>
    public string? CheckpointSha256 { get; init; }

    /// <summary>Artifacts of the whole stdout and stderr; null when empty.</summary>
    public string? StdoutSha256 { get; init; }
    public string? StderrSha256 { get; init; }

    /// <summary>Last lines of the log, at most 16 KiB.</summary>
    public string? LogTail { get; init; }
    public long LogBytes { get; init; }

    /// <summary>Measurements that are not part of the digest (for example benchmark rates).</summary>
    public IReadOnlyDictionary<string, double>? Measurements { get; init; }

    /// <summary>ECDSA P-256 signature (IEEE P1363, base64) over <see cref="Receipt.Bytes"/>.</summary>
    public string? Signature { get; init; }
}

/// <summary>A collected output: path relative to the work folder, content hash, size in bytes.</summary>
public sealed record OutputFile(string Path, string Sha256, long Size);

/// <summary>Answer to reports, one per item in order.</summary>
public sealed record ReportResponse
{
    public required IReadOnlyList<ReportAck> Items { get; init; }
}

/// <summary>
/// <c>recorded</c> (now or by an earlier copy of this report), <c>stale</c> (the lease is no longer this device's: throw the result away) or
/// <c>unknown</c> (no such attempt of this device). After any of the three the agent forgets the attempt.
/// </summary>
public sealed record ReportAck(Guid AttemptId, string Status);
