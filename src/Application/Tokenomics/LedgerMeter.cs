using System.Diagnostics.Metrics;

namespace FogCompute.Application.Tokenomics;

/// <summary>
/// The meter <c>FogCompute.Ledger</c>: gauges <c>ledger.differences</c> and <c>ledger.reconciliation.age</c> (seconds) of the last reconciliation that this process ran or read, nothing before
/// the first; counters <c>ledger.transfers</c> (sealed here, so committed and counted once) and <c>ledger.reconciliations</c>.
/// </summary>
public sealed class LedgerMeter : IDisposable
{
    public const string Name = "FogCompute.Ledger";

    private readonly Meter _meter = new(Name);
    private readonly Counter<long> _transfers;
    private readonly Counter<long> _reconciliations;
    private volatile Reconciliation? _last;

    public LedgerMeter(TimeProvider time)
    {
        _transfers = _meter.CreateCounter<long>("ledger.transfers", "{transfer}", "Transfers sealed into the journal's chain.");
        _reconciliations = _meter.CreateCounter<long>("ledger.reconciliations", "{run}", "Runs of the reconciler.");
        _meter.CreateObservableGauge("ledger.differences", () => Of(last => last.DifferenceCount), "{difference}", "What did not add up at the last reconciliation.");
        _meter.CreateObservableGauge("ledger.reconciliation.age", () => Of(last => (time.GetUtcNow() - last.At).TotalSeconds), "s", "Time since the last reconciliation.");
    }

    public void Sealed(int transfers) => _transfers.Add(transfers);

    public void Reconciled(Reconciliation outcome)
    {
        _reconciliations.Add(1);
        _last = outcome;
    }

    /// <summary>Another process may have run it.</summary>
    public void Saw(Reconciliation outcome) => _last = outcome;

    /// <summary>Tells this meter from those of other hosts in the same process.</summary>
    internal bool Owns(Meter meter) => ReferenceEquals(meter, _meter);

    public void Dispose() => _meter.Dispose();

    private IEnumerable<Measurement<T>> Of<T>(Func<Reconciliation, T> value) where T : struct => _last is { } last ? [new Measurement<T>(value(last))] : [];
}
