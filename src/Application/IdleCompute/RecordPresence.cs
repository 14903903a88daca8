using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;

namespace FogCompute.Application.IdleCompute;

// Recurring, no route. Notes for each device whether it is there, by hour of the week: what availability is learned from.

[RequiresPermission(Permissions.Operate)]
public sealed record RecordPresenceCommand : ICommand<PresenceRecorded>;

/// <param name="Devices">Devices looked at.</param>
/// <param name="Present">Of these, how many could take work.</param>
public sealed record PresenceRecorded(int Devices, int Present);

/// <summary>The presence table.</summary>
public interface IPresenceLog
{
    /// <summary>
    /// Adds the time since each device's last look (never more than <paramref name="longest"/>: what nobody watched is not known) to its present
    /// hour of the week. A device is present when its owner's policy lets it work and it was heard of within <paramref name="silence"/>.
    /// </summary>
    /// <param name="fade">What a figure of four weeks ago is worth, 0–1.</param>
    Task<PresenceRecorded> LookAsync(DateTimeOffset now, TimeSpan silence, TimeSpan longest, double fade, CancellationToken cancel);
}

internal sealed class RecordPresenceHandler(IPresenceLog log, SchedulerOptions options, TimeProvider time) : ICommandHandler<RecordPresenceCommand, PresenceRecorded>
{
    /// <summary>Longer gaps (the control plane was down) count as this much.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    /// <summary>Half-life of four weeks.</summary>
    private const double FadeInFourWeeks = 0.5;

    public Task<PresenceRecorded> Handle(RecordPresenceCommand command, CancellationToken cancellationToken) =>
        log.LookAsync(time.GetUtcNow(), options.Silence, Longest, FadeInFourWeeks, cancellationToken);
}
