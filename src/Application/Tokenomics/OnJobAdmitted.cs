using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>Sets the job's credits aside; too little available refuses the submit (409) and rolls it back.</summary>
internal sealed class OnJobAdmitted(ILedger ledger, IHolds holds) : IEventHandler<JobAdmitted>
{
    public async Task Handle(JobAdmitted notification, CancellationToken cancellationToken)
    {
        var hold = Hold.Open(notification.Job, notification.Requester, notification.HoldMicro, notification.At, notification.EndsBy);
        if (!await holds.AddAsync(hold, cancellationToken))
        {
            var found = await holds.LockAsync([hold.Job], cancellationToken);
            if (!found.TryGetValue(hold.Job, out var earlier))
                throw new FogException(TokenomicsErrors.AccountMissing(LedgerAccount.Available(hold.Owner)));
            if (earlier.Owner != hold.Owner || earlier.Amount != hold.Amount)
                throw new FogException(TokenomicsErrors.KeyReused($"hold:{hold.Job}"));
            return;
        }
        if (hold.Placement() is { } placement)
            await ledger.PostAsync([placement], [], cancellationToken);
    }
}
