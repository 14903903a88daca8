using System.Diagnostics.Metrics;

namespace FogCompute.Application.Common.Telemetry;

/// <summary>
/// The meter <c>FogCompute.UseCases</c>: histogram <c>fogcompute.use_case.duration</c> (seconds, by use case, module and outcome: ok, refused, failed, cancelled) and counter
/// <c>fogcompute.use_case.refusals</c> (by module and code, <c>error.type</c>). Transactions and their repetitions are inside the duration.
/// </summary>
public sealed class UseCaseMeter
{
    public const string Name = "FogCompute.UseCases";

    /// <summary>Seconds; most use cases take milliseconds.</summary>
    internal static readonly InstrumentAdvice<double> Seconds = new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

    private readonly Histogram<double> _duration;
    private readonly Counter<long> _refusals;

    public UseCaseMeter(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _duration = meter.CreateHistogram("fogcompute.use_case.duration", "s", "Time a use case took, its transaction included.", advice: Seconds);
        _refusals = meter.CreateCounter<long>("fogcompute.use_case.refusals", "{refusal}", "Use cases refused, by the code of the refusal.");
    }

    internal void Done(string useCase, string module, string outcome, TimeSpan took) =>
        _duration.Record(took.TotalSeconds, new("fogcompute.use_case.name", useCase), new("fogcompute.module", module), new("fogcompute.outcome", outcome));

    internal void Refused(string module, string code) => _refusals.Add(1, new("fogcompute.module", module), new("error.type", code));
}
