namespace FogCompute.Cli.Diagnosis;

/// <summary>What a check found: <c>ok</c>, <c>warn</c> (works, with less) or <c>fail</c> (a problem). <paramref name="Next"/> says what to do when it is not ok.</summary>
internal sealed record Finding(string Check, string State, string Detail, string? Next = null)
{
    public const string Good = "ok", Worse = "warn", Broken = "fail";

    public static Finding Ok(string check, string detail) => new(check, Good, detail);

    public static Finding Warn(string check, string detail, string? next) => new(check, Worse, detail, next);

    public static Finding Fail(string check, string detail, string? next) => new(check, Broken, detail, next);
}
