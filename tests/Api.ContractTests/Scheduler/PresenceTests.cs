using FogCompute.Application.IdleCompute;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.RecurringJobs;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>Learning when devices are there, on real PostgreSQL.</summary>
public sealed class PresenceTests
{
    /// <summary>A Monday, 10:00.</summary>
    private static readonly DateTimeOffset Start = new(2030, 1, 7, 10, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(90);
    private const int Bucket = 10;

    private ApiServer _server = null!;
    private PoolOverHttp _pool = null!;

    [SetUp]
    public async Task Begin()
    {
        // Only the test looks: the control plane's own looks are of today.
        _server = await ApiServer.StartAsync(adjust: services => services.AddSingleton<IReadOnlyList<RecurringJob>>([]));
        _pool = new PoolOverHttp(_server);
        await _pool.AddAsync("watched");
    }

    [TearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [Test]
    public async Task Counts_looks_presence_and_departures_in_their_hour_and_lets_old_weeks_fade()
    {
        await LookAsync(Start, present: true);
        await LookAsync(Start + Minute, present: true);
        await LookAsync(Start + 2 * Minute, present: false);
        await LookAsync(Start + 3 * Minute, present: false);
        Assert.That(await FiguresAsync(), Is.EqualTo((180.0, 60.0, 1.0)));

        // The control plane was down for half an hour: of that only two minutes count.
        await LookAsync(Start + 33 * Minute, present: true);
        Assert.That(await FiguresAsync(), Is.EqualTo((300.0, 180.0, 1.0)));

        // A week later the hour is entered anew: what it held is worth a quarter root of a half.
        await LookAsync(Start.AddDays(7), present: true);
        var (observed, present, departures) = await FiguresAsync();
        var fade = Math.Pow(0.5, 0.25);
        Assert.That(observed, Is.EqualTo(300 * fade + 120).Within(1e-6));
        Assert.That(present, Is.EqualTo(180 * fade + 120).Within(1e-6));
        Assert.That(departures, Is.EqualTo(fade).Within(1e-6));
    }

    [Test]
    public async Task What_was_learned_reaches_placement()
    {
        for (var minute = 0; minute <= 50; minute++)
            await LookAsync(Start + minute * Minute, present: minute % 2 == 0);
        await using var scope = _server.Services.CreateAsyncScope();
        var device = (await scope.ServiceProvider.GetRequiredService<IPlacementPool>().DevicesAsync(Start, CancellationToken.None)).Single();
        Assert.That(device.Presence.ObservedHours, Is.EqualTo(50 / 60.0).Within(1e-6));
        Assert.That(device.Presence.DeparturesPerHour(Bucket), Is.GreaterThan(AvailabilityProfile.Unknown.DeparturesPerHour(Bucket) * 10), "it left every other minute");
        Assert.That(device.Presence.Survival(Start, 3600), Is.LessThan(0.1));
    }

    /// <summary>Makes the device look as it would at that time, and looks.</summary>
    private async Task LookAsync(DateTimeOffset at, bool present)
    {
        await using var command = _server.Database.DataSource.CreateCommand("UPDATE idle_compute.devices SET last_seen_at = $1, state = 'Eligible'");
        command.Parameters.AddWithValue(at - (present ? TimeSpan.Zero : TimeSpan.FromMinutes(2)));
        await command.ExecuteNonQueryAsync();
        await using var scope = _server.Services.CreateAsyncScope();
        var seen = await scope.ServiceProvider.GetRequiredService<IPresenceLog>().LookAsync(at, Silence, TimeSpan.FromMinutes(2), 0.5, CancellationToken.None);
        Assert.That(seen, Is.EqualTo(new PresenceRecorded(1, present ? 1 : 0)));
    }

    private async Task<(double Observed, double Present, double Departures)> FiguresAsync()
    {
        await using var command = _server.Database.DataSource.CreateCommand(
            $"SELECT observed_seconds[{Bucket + 1}], present_seconds[{Bucket + 1}], departures[{Bucket + 1}] FROM idle_compute.device_presence WHERE device_id = 'watched'");
        await using var reader = await command.ExecuteReaderAsync();
        Assert.That(await reader.ReadAsync(), Is.True);
        return (reader.GetDouble(0), reader.GetDouble(1), reader.GetDouble(2));
    }
}
