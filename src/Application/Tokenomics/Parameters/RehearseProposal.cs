using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

// POST /api/tokenomics/proposals/{id}/rehearsal?days=7
// Replays the last days' recorded scheduling and settlement with the value that the proposal would set, keeps the difference and shows it beside the proposal.

[RequiresPermission(Permissions.Govern)]
public sealed record RehearseProposalCommand : ICommand<RehearsalAnswer>
{
    [JsonIgnore]
    public required string Proposal { get; init; }

    /// <summary>How far back, 1–30.</summary>
    public int Days { get; init; } = 7;
}

/// <summary>Amounts in credits with six decimals; before: under the values in force, after: with the proposed one.</summary>
public sealed record RehearsalAnswer
{
    public required string ProposalId { get; init; }
    public required string Parameter { get; init; }
    public required long CurrentValue { get; init; }
    public required long ProposedValue { get; init; }
    public required DateTimeOffset At { get; init; }
    public required int Days { get; init; }

    /// <summary>With tasks that succeeded in these days.</summary>
    public required int JobsReplayed { get; init; }
    public required int TasksReplayed { get; init; }

    /// <summary>What these tasks were really charged.</summary>
    public required decimal Recorded { get; init; }
    public required RehearsalMoney Before { get; init; }
    public required RehearsalMoney After { get; init; }
    public required IReadOnlyList<RehearsalTier> Tiers { get; init; }

    /// <summary>The 20 devices that earn most.</summary>
    public required IReadOnlyList<RehearsalDevice> Devices { get; init; }

    /// <summary>Null: see noWaiting.</summary>
    public RehearsalWaiting? Waiting { get; init; }

    /// <summary>Why there are no waiting times: this parameter cannot influence them.</summary>
    public string? NoWaiting { get; init; }

    /// <summary>What the replay takes for granted.</summary>
    public required IReadOnlyList<string> Assumptions { get; init; }

    private const int MostDevices = 20;

    internal static RehearsalAnswer Of(string proposal, ParameterDefinition parameter, long current, long proposed, DateTimeOffset at, int days, RehearsalOutcome outcome) => new()
    {
        ProposalId = proposal, Parameter = parameter.Name, CurrentValue = current, ProposedValue = proposed, At = at, Days = days, JobsReplayed = outcome.Jobs, TasksReplayed = outcome.Tasks,
        Recorded = Credits.FromMicro(outcome.RecordedMicro), Before = RehearsalMoney.Of(outcome.Before), After = RehearsalMoney.Of(outcome.After),
        Tiers = [.. outcome.Tiers.Select(RehearsalTier.Of)],
        Devices = [.. outcome.Devices.Take(MostDevices).Select(d => new RehearsalDevice(d.Device, Credits.FromMicro(d.Before), Credits.FromMicro(d.After)))],
        Waiting = outcome.Waiting is { } waiting ? new RehearsalWaiting(waiting.Tasks, RehearsalWaits.Of(waiting.Before), RehearsalWaits.Of(waiting.After)) : null,
        NoWaiting = outcome.NoWaiting, Assumptions = outcome.Assumptions,
    };
}

/// <summary>Charged = earned by devices + fees + burned.</summary>
public sealed record RehearsalMoney(decimal Charged, decimal Earned, decimal Fees, decimal Burned)
{
    internal static RehearsalMoney Of(RehearsedMoney money) => new(Credits.FromMicro(money.Charged), Credits.FromMicro(money.Paid), Credits.FromMicro(money.Fees), Credits.FromMicro(money.Burned));
}

/// <param name="PriceBefore">Of one core and one GiB for an hour.</param>
/// <param name="PriceChangePercent">Of that.</param>
/// <param name="ChargedBefore">For the replayed tasks of the tier.</param>
public sealed record RehearsalTier(string Tier, int Tasks, decimal PriceBefore, decimal PriceAfter, double PriceChangePercent, decimal ChargedBefore, decimal ChargedAfter)
{
    internal static RehearsalTier Of(RehearsedTier tier) => new(
        tier.Tier.ToString().ToLowerInvariant(), tier.Tasks, Math.Round(tier.HourBefore / Credits.MicroPerCredit, 6), Math.Round(tier.HourAfter / Credits.MicroPerCredit, 6),
        (double)Math.Round((tier.HourAfter / tier.HourBefore - 1) * 100, 4), Credits.FromMicro(tier.ChargedBefore), Credits.FromMicro(tier.ChargedAfter));
}

public sealed record RehearsalDevice(string DeviceId, decimal Before, decimal After);

/// <param name="Tasks">That were replayed for it.</param>
public sealed record RehearsalWaiting(int Tasks, RehearsalWaits Before, RehearsalWaits After);

/// <summary>Seconds from readiness to a task's first start and to a job's end, and how often runs gave way, were copied or audited.</summary>
public sealed record RehearsalWaits(double MeanWaitSeconds, double P95WaitSeconds, double MeanFinishSeconds, double P95FinishSeconds, int Preemptions, int Copies, int Audits)
{
    internal static RehearsalWaits Of(WaitFigures f) =>
        new(Math.Round(f.MeanWait, 3), Math.Round(f.P95Wait, 3), Math.Round(f.MeanFinish, 3), Math.Round(f.P95Finish, 3), f.Notices, f.Copies, f.Audits);
}

internal sealed class RehearseProposalValidator : AbstractValidator<RehearseProposalCommand>
{
    public RehearseProposalValidator()
    {
        RuleFor(c => c.Days).InclusiveBetween(1, 30);
        RuleFor(c => c.Proposal).MaximumLength(100);
    }
}

internal sealed class RehearseProposalHandler(
    IProposedParameters proposed, IParameters parameters, IRecordedDays recorded, IRehearsals rehearsals, CallerContext context, TimeProvider time)
    : ICommandHandler<RehearseProposalCommand, RehearsalAnswer>
{
    private const int MostTasks = 100_000;

    public async Task<RehearsalAnswer> Handle(RehearseProposalCommand command, CancellationToken cancellationToken)
    {
        if (await proposed.OfAsync(command.Proposal, cancellationToken) is not { End: null } subject || ParameterCatalogue.Find(subject.Name) is not { } parameter)
            throw new FogException(TokenomicsErrors.NothingToRehearse);
        var now = time.GetUtcNow();
        var current = await parameters.CurrentAsync(cancellationToken);
        var days = await recorded.ReadAsync(now.AddDays(-command.Days), now, MostTasks, cancellationToken);
        var answer = RehearsalAnswer.Of(command.Proposal, parameter, current[parameter], subject.Value, now, command.Days, Rehearsal.Of(days, current, parameter, subject.Value));
        await rehearsals.AddAsync(answer, context.Caller.Account, cancellationToken);
        return answer;
    }
}
