using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics.Governance;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Tokenomics.Governance;

// Recurring, each second, single-flight.
// Promises: one step of the proposal that has been due longest, in a transaction of its own: snapshot, result, execution (exactly once) or expiry.

[RequiresPermission(Permissions.Operate)]
public sealed record AdvanceProposalsCommand : ICommand<RecurringOutcome>;

internal sealed partial class AdvanceProposalsHandler(
    IProposals proposals, IDelegations delegations, IVotingPower power, ProposalActions actions, ISavepoint savepoint, TimeProvider time, ILogger<AdvanceProposalsHandler> log)
    : ICommandHandler<AdvanceProposalsCommand, RecurringOutcome>
{
    /// <summary>After a failure that is no refusal: a defect must neither stop the others nor decide the proposal.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    public async Task<RecurringOutcome> Handle(AdvanceProposalsCommand request, CancellationToken cancellationToken)
    {
        var now = time.Now();
        if (await proposals.ClaimDueAsync(now, cancellationToken) is not { } proposal)
            return new RecurringOutcome(MoreToDo: false);
        switch (proposal.StateAt(now))
        {
            case ProposalState.Pending:
                // The lock first, then the time: what is staked while the lock is waited for is staked before the snapshot.
                var taken = await power.SnapshotAsync(cancellationToken);
                var snapshot = new ProposalSnapshot(taken.Transfer, taken.SupplyMicro, await delegations.LastAsync(cancellationToken));
                await SaveAsync(proposal.Activate(snapshot, time.Now()), "The snapshot is taken; ballots are taken from now on.", cancellationToken);
                break;
            case ProposalState.Succeeded:
                await proposals.RecordAsync(proposal.Id, now, ProposalState.Succeeded, "Quorum and approval were reached.", cancellationToken);
                await SaveAsync(proposal.Queue(now), "Its timelock runs; it is executed by itself at its end.", cancellationToken);
                break;
            case ProposalState.Defeated:
                await SaveAsync(proposal.Defeat(now), null, cancellationToken);
                break;
            case ProposalState.Queued:
                await ExecuteAsync(proposal, now, cancellationToken);
                break;
            case ProposalState.Expired:
                await SaveAsync(proposal.Expire(now), null, cancellationToken);
                break;
            case var state:
                throw new InvalidOperationException($"Proposal {proposal.Id} is {state} and yet due.");
        }
        return new RecurringOutcome(MoreToDo: true);
    }

    private async Task ExecuteAsync(Proposal proposal, DateTimeOffset now, CancellationToken cancel)
    {
        var granted = 0L;
        switch (await savepoint.TryAsync(async inner => granted = await actions.RunAsync(proposal, now, inner), cancel))
        {
            case null:
                await SaveAsync(proposal.Execute(granted, now), null, cancel);
                Executed(log, proposal.Id, proposal.Payload);
                break;
            case FogException { Error.Kind: not ErrorKind.Unavailable } refusal:
                await SaveAsync(proposal.Fail(refusal.Error.Code[(refusal.Error.Code.IndexOf('.', StringComparison.Ordinal) + 1)..], refusal.Error.Message, now), null, cancel);
                break;
            case var defect:
                Postponed(log, defect, proposal.Id);
                await proposals.SaveAsync(proposal, now + Pause, cancel);
                break;
        }
    }

    private async Task SaveAsync(Proposal proposal, string? why, CancellationToken cancel)
    {
        await proposals.SaveAsync(proposal, proposal.DueAt, cancel);
        var at = time.Now();
        await proposals.RecordAsync(proposal.Id, at, proposal.StateAt(at), why ?? proposal.End!.Why, cancel);
    }

    [LoggerMessage(1, LogLevel.Information, "proposal_executed {proposal} {payload}")]
    private static partial void Executed(ILogger logger, string proposal, string payload);

    [LoggerMessage(2, LogLevel.Error, "proposal_execution_postponed {proposal} Tried again in a minute, until its grace ends")]
    private static partial void Postponed(ILogger logger, Exception defect, string proposal);
}
