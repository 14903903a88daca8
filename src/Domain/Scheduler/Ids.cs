namespace FogCompute.Domain.Scheduler;

/// <summary>A job, time-ordered (UUIDv7).</summary>
public readonly record struct JobId(Guid Value)
{
    // Time order; EF translates these to the same comparison of uuids, which page cursors use.
    public static bool operator <(JobId left, JobId right) => left.Value < right.Value;

    public static bool operator >(JobId left, JobId right) => left.Value > right.Value;

    public static JobId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}

/// <summary>One run of a task replica on one device, time-ordered (UUIDv7).</summary>
public readonly record struct AttemptId(Guid Value)
{
    public static AttemptId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}
