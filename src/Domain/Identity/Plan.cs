namespace FogCompute.Domain.Identity;

/// <summary>How much of the pool an account may use. What each means is a setting.</summary>
public enum Plan { Free, Pro, Enterprise }

/// <summary>Limits of a plan; null: none.</summary>
/// <param name="ComputeHours">Wall hours of tasks, by UTC day of the submit.</param>
/// <param name="ApiCalls">Requests by UTC day, devices' not counted.</param>
/// <param name="ArtifactGib">Artifacts that the account may read, its jobs' results included.</param>
public sealed record PlanLimits(double? ComputeHours, long? ApiCalls, double? ArtifactGib)
{
    private const double MsPerHour = 3_600_000;
    private const double BytesPerGib = 1 << 30;

    public static readonly PlanLimits Free = new(10, 5_000, 5);
    public static readonly PlanLimits Pro = new(100, 50_000, 50);
    public static readonly PlanLimits None = new(null, null, null);

    public long? ComputeMs => (long?)(ComputeHours * MsPerHour);
    public long? ArtifactBytes => (long?)(ArtifactGib * BytesPerGib);

    /// <summary>The plan as people write it.</summary>
    public static string Word(Plan plan) => plan.ToString().ToLowerInvariant();

    public static double Hours(long milliseconds) => Math.Round(milliseconds / MsPerHour, 4);

    public static double Gib(long bytes) => Math.Round(bytes / BytesPerGib, 6);
}

/// <summary>The plans of this pool.</summary>
public sealed record Plans(PlanLimits Free, PlanLimits Pro, PlanLimits Enterprise)
{
    public static readonly Plans Default = new(PlanLimits.Free, PlanLimits.Pro, PlanLimits.None);

    /// <summary>A plan that is not known counts as free.</summary>
    public PlanLimits Of(Plan plan) => plan switch { Plan.Enterprise => Enterprise, Plan.Pro => Pro, _ => Free };

    /// <summary>Days are UTC days.</summary>
    public static DateOnly DayOf(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);

    public static DateTimeOffset NextDay(DateTimeOffset at) => new(at.UtcDateTime.Date.AddDays(1), TimeSpan.Zero);
}
