namespace FogCompute.Domain.Scheduler;

/// <summary>A job, time-ordered (UUIDv7).</summary>
public readonly record struct JobId(Guid Value)
{
    public static JobId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}

/// <summary>One run of a task replica on one device, time-ordered (UUIDv7).</summary>
public readonly record struct AttemptId(Guid Value)
{
    public static AttemptId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}
