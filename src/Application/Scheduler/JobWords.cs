using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

/// <summary>The wire's words for states and tiers.</summary>
public static class JobWords
{
    public static string Status(JobState state) => state switch
    {
        JobState.Submitted or JobState.Admitted => "pending",
        JobState.Running => "running",
        JobState.Paused => "paused",
        JobState.Completed => "completed",
        JobState.Cancelled => "cancelled",
        _ => "failed",
    };

    /// <summary>The states behind a wire status; null for an unknown word.</summary>
    public static JobState[]? States(string status) => status switch
    {
        "pending" => [JobState.Submitted, JobState.Admitted],
        "running" => [JobState.Running],
        "paused" => [JobState.Paused],
        "completed" => [JobState.Completed],
        "cancelled" => [JobState.Cancelled],
        "failed" => [JobState.Failed, JobState.Expired, JobState.Rejected],
        _ => null,
    };

    public static readonly IReadOnlyList<string> Statuses = ["pending", "running", "paused", "completed", "failed", "cancelled"];

    public static string Tier(SlaTier tier) => tier.ToString().ToLowerInvariant();

    /// <summary>snake_case of an enum member.</summary>
    public static string Word<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    public static IReadOnlyList<string> Words<T>(IEnumerable<T> values) where T : struct, Enum => [.. values.Select(Word)];
}
