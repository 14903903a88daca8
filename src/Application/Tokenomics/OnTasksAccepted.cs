using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics;

/// <summary>
/// Settles each accepted task in the transaction that accepts it: one transfer per task, one update per hold and account, whatever the batch.
/// A repeated acceptance changes nothing; a cost above what is left in the hold is cut and the shortfall recorded, so accepting never fails for it.
/// </summary>
internal sealed class OnTasksAccepted(ILedger ledger, IHolds holds, IParameters parameters) : IEventHandler<TasksAccepted>
{
    public async Task Handle(TasksAccepted notification, CancellationToken cancellationToken)
    {
        if (notification.Tasks.Count == 0)
            return;
        // The hold's lock serialises settlements of a job: what is on record afterwards is final, and so is what remains.
        var held = await holds.LockAsync(notification.Tasks.Select(t => t.Job).ToHashSet(), cancellationToken);
        var recorded = await ledger.FindAsync(notification.Tasks.Select(t => Settlement.KeyOf(t.Job, t.TaskIndex)).ToHashSet(), cancellationToken);
        var shares = (await parameters.CurrentAsync(cancellationToken)).Shares();
        var settlements = new Dictionary<string, Transfer>(notification.Tasks.Count);
        var charged = new HashSet<Hold>();
        foreach (var task in notification.Tasks)
        {
            if (!held.TryGetValue(task.Job, out var hold))
                throw new FogException(TokenomicsErrors.HoldMissing(task.Job.ToString()));
            if (hold.Owner != task.Requester)
                throw new InvalidOperationException($"Job {task.Job} was accepted for account {task.Requester}, but account {hold.Owner} holds the credits for it.");
            var payees = task.Payees.Select(p => new SettledReplica(p.Owner, p.DeviceId, p.Attempt, p.Score, p.WallMs)).ToArray();
            var key = Settlement.KeyOf(task.Job, task.TaskIndex);
            if (recorded.TryGetValue(key, out var earlier) || settlements.TryGetValue(key, out earlier))
            {
                if (!Settlement.IsRepeat(earlier, task.CostMicro, payees))
                    throw new FogException(TokenomicsErrors.KeyReused(key));
                continue;
            }
            settlements.Add(key, Settlement.Charge(hold, task.TaskIndex, task.CostMicro, payees, shares, notification.At, task.Metering));
            charged.Add(hold);
        }
        if (settlements.Count == 0)
            return;
        // The job may close in this same transaction and credit its requester, and stakes may be slashed: those rows are locked now, in order, not later.
        // Whether the blamed have anything staked can change until then, so all of theirs are.
        await ledger.PostAsync(settlements.Values, charged.Select(h => LedgerAccount.Available(h.Owner)).Concat(SlashCourt.Locks(notification.Blamed)).ToHashSet(), cancellationToken);
        await holds.SaveAsync(charged, cancellationToken);
    }
}
