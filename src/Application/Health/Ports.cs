using FogCompute.Domain.Common;

namespace FogCompute.Application.Health;

/// <summary>Words of the health answer, as the wire has them.</summary>
public enum HealthStatus
{
    Healthy,
    /// <summary>Works, but not as it should.</summary>
    Degraded,
    /// <summary>Nothing has been measured yet.</summary>
    Unknown,
    /// <summary>Does not answer, or is not part of this installation.</summary>
    Unavailable,
}

/// <param name="Message">One sentence for people; never internal text.</param>
public sealed record HealthReport(HealthStatus Status, string Message);

/// <summary>Looks at one part of the system. Probes run in parallel and are cut off after <see cref="HealthProbes.Timeout"/>.</summary>
public interface IHealthProbe
{
    /// <summary>Key in <c>services</c> and <c>checks</c> of GET /health.</summary>
    string Name { get; }

    /// <summary>Without it nothing can be served: counts for /readyz and makes the whole <c>unhealthy</c>.</summary>
    bool IsVital { get; }

    /// <summary>Throwing counts as unavailable.</summary>
    Task<HealthReport> CheckAsync(CancellationToken cancel);
}

/// <summary>Recognises failures that mean "a part this depends on is away", wherever they surface.</summary>
public interface IOutageTranslator
{
    /// <summary>The refusal (503 with a time to try again) such a failure stands for; null when it is something else.</summary>
    FogException? Translate(Exception failure);
}

/// <summary>Whether start-up has finished and shutdown has not begun.</summary>
public sealed class Readiness
{
    private const string Starting = "The control plane is still starting.";

    private volatile string? _notReady = Starting;

    /// <summary>Why requests should not be sent here; null when they may.</summary>
    public string? NotReady => _notReady;

    public void Ready() => Interlocked.CompareExchange(ref _notReady, null, Starting);

    public void Stopping() => _notReady = "The control plane is shutting down.";
}

public static class HealthErrors
{
    public static readonly FogError NotReady = new("common.not_ready", ErrorKind.Unavailable, "This control plane cannot serve requests just now; the field errors name each reason.");
}
