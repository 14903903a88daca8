using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Protocol;

namespace FogCompute.Application.Scheduler;

// POST /api/scheduler/nodes/{id}/poll
// One look of a long poll: counts as heartbeat, renews held leases, returns leases the agent does not know and those it must drop.

[RequiresPermission(Permissions.DeviceAgent)]
public sealed record DeliverLeasesCommand : ICommand<LeasePollResponse>
{
    /// <summary>0–30 s.</summary>
    public double WaitSeconds { get; init; }

    /// <summary>At most 1024.</summary>
    public IReadOnlyList<HeldLease> Held { get; init; } = [];
    public required DeviceCondition Condition { get; init; }

    [JsonIgnore]
    public string DeviceId { get; init; } = "";
}

internal sealed class DeliverLeasesValidator : AbstractValidator<DeliverLeasesCommand>
{
    public DeliverLeasesValidator()
    {
        RuleFor(c => c.WaitSeconds).InclusiveBetween(0, 30);
        RuleFor(c => c.Held).Must(h => h.Count <= 1024).WithMessage("at most 1024 leases.");
        RuleFor(c => c.Condition.State).Must(s => DeviceWords.ConditionOf(s) is not null).WithMessage("must be eligible, contributing, ineligible, suspending or disabled.");
        RuleFor(c => c.Condition.Slots).InclusiveBetween(0, 1024);
        RuleFor(c => c.Condition.Reason).MaximumLength(100);
        RuleFor(c => c.Condition.BatteryPercent).InclusiveBetween(0, 100).When(c => c.Condition.BatteryPercent is not null);
        RuleFor(c => c.Condition.TemperatureCelsius).InclusiveBetween(-100, 200).When(c => c.Condition.TemperatureCelsius is not null);
        RuleFor(c => c.Condition.OtherCpu).InclusiveBetween(0, 1).When(c => c.Condition.OtherCpu is not null);
    }
}

internal sealed class DeliverLeasesHandler(
    ILeaseDesk desk, IDeviceDirectory devices, SchedulerOptions options, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<DeliverLeasesCommand, LeasePollResponse>
{
    public async Task<LeasePollResponse> Handle(DeliverLeasesCommand command, CancellationToken cancellationToken)
    {
        DeviceAccess.RequireSelf(context.Caller, command.DeviceId);
        var now = time.GetUtcNow();
        await RefreshAsync(command, now, cancellationToken);
        var held = command.Held.Select(h => h.AttemptId).ToHashSet();
        var (revoked, ending) = await desk.RenewAsync(command.DeviceId, held, now, options.Lease, cancellationToken);
        var told = command.Held.Where(h => h.Noticed == true).Select(h => h.AttemptId).ToHashSet();
        var leases = await desk.NewLeasesAsync(command.DeviceId, held, now, cancellationToken);
        return new LeasePollResponse { Leases = leases, Revoked = revoked, Notices = [.. ending.Where(n => !told.Contains(n.AttemptId))], Now = now, LeaseSeconds = options.Lease.TotalSeconds };
    }

    /// <summary>The row is written when something changed or the last writing is a while ago, not at each of hundreds of polls a second.</summary>
    private async Task RefreshAsync(DeliverLeasesCommand command, DateTimeOffset now, CancellationToken cancel)
    {
        var state = DeviceWords.ConditionOf(command.Condition.State)!.Value;
        var fresh = await devices.PresenceAsync(command.DeviceId, cancel) ?? throw new FogException(IdleComputeErrors.DeviceNotFound);
        var condition = command.Condition;
        // Eligible and contributing differ by what it holds, which the attempts tell better than this row.
        if (TakesWork(fresh.State) == TakesWork(state) && fresh.Reason == condition.Reason && fresh.Slots == condition.Slots && now - fresh.SeenAt < options.Silence / 12)
            return;
        var device = (await devices.LockAsync([command.DeviceId], cancel)).SingleOrDefault() ?? throw new FogException(IdleComputeErrors.DeviceNotFound);
        if (device.Report(state, condition.Reason, condition.Slots, condition.BatteryPercent, condition.Charging, condition.TemperatureCelsius, condition.OtherCpu, now))
            transaction.SignalAfterCommit(Topics.Place);
    }

    private static bool TakesWork(DeviceState state) => state is DeviceState.Eligible or DeviceState.Contributing;
}
