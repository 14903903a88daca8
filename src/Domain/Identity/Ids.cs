namespace FogCompute.Domain.Identity;

/// <summary>Billing and authorisation principal.</summary>
public readonly record struct AccountId(Guid Value)
{
    /// <summary>Time-ordered (UUIDv7).</summary>
    public static AccountId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}

/// <summary>An API key or enrolment token (its record, not its secret).</summary>
public readonly record struct AccessKeyId(Guid Value)
{
    public static AccessKeyId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}

/// <summary>One login of a user.</summary>
public readonly record struct SessionId(Guid Value)
{
    public static SessionId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    public override string ToString() => Value.ToString("D");
}
