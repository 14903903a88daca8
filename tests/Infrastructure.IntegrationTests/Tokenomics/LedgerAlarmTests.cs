using System.Diagnostics.Metrics;
using FogCompute.Application.Tokenomics;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>A corrupted row is seen wherever an operator may look.</summary>
public sealed class LedgerAlarmTests
{
    [Test]
    public async Task A_corrupted_row_shows_in_health_endpoint_and_meter_until_it_is_right_again()
    {
        var time = new ManualTimeProvider();
        await using var world = await LedgerWorld.CreateAsync(time);
        // Other fixtures have meters of the same name.
        var meter = await world.ReadAsync(s => Task.FromResult(s.GetRequiredService<LedgerMeter>()));
        var (gauges, counters) = (new Dictionary<string, double>(), new Dictionary<string, long>());
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (meter.Owns(instrument.Meter))
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => gauges[instrument.Name] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => gauges[instrument.Name] = value);
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => counters[instrument.Name] = counters.GetValueOrDefault(instrument.Name) + value);
        listener.Start();

        listener.RecordObservableInstruments();
        Assert.That(gauges, Is.Empty, "nothing is known before the first run");
        Assert.That((await world.SendAsync(new GetReconciliationQuery())), Is.EqualTo(new ReconciliationDto("unknown", null, null, null, null, null, null, null, null)));
        var owner = await world.OpenAccountAsync();
        await world.AdmitAsync(owner, 5_000_000);
        await world.SealAllAsync();
        await world.SendAsync(new ReconcileLedgerCommand());
        await SeesAsync("healthy", 0);
        Assert.That((counters["ledger.transfers"], counters["ledger.reconciliations"]), Is.EqualTo((3L, 1L)), "genesis, greeting, hold");

        await world.TamperAsync("UPDATE tokenomics.accounts SET balance = balance + 7 WHERE kind = 'Staked'");
        await world.SendAsync(new ReconcileLedgerCommand());
        await SeesAsync("degraded", 3);
        var found = await world.SendAsync(new GetReconciliationQuery());
        Assert.That(found.Differences!.Select(d => d.Check), Is.EquivalentTo(new[] { "supply", "account_balance", "staked" }));
        time.Advance(TimeSpan.FromSeconds(90));
        Assert.That((await world.SendAsync(new GetReconciliationQuery())).AgeSeconds, Is.EqualTo(90));
        listener.RecordObservableInstruments();
        Assert.That(gauges["ledger.reconciliation.age"], Is.EqualTo(90));

        await world.TamperAsync("UPDATE tokenomics.accounts SET balance = balance - 7 WHERE kind = 'Staked'");
        await world.SendAsync(new ReconcileLedgerCommand());
        await SeesAsync("healthy", 0);

        async Task SeesAsync(string status, int differences)
        {
            Assert.That((await world.SendAsync(new GetLedgerHealthQuery())).Status, Is.EqualTo(status));
            Assert.That(await world.SendAsync(new GetReconciliationQuery()), Has.Property("Status").EqualTo(status).And.Property("DifferenceCount").EqualTo(differences));
            listener.RecordObservableInstruments();
            Assert.That((gauges["ledger.differences"], gauges["ledger.reconciliation.age"]), Is.EqualTo(((double)differences, 0d)));
        }
    }
}
