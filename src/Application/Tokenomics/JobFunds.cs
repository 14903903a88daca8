using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>Holds for many jobs in as many statements as for one.</summary>
internal sealed class JobFunds(ILedger ledger, IHolds holds) : IJobFunds
{
    public async Task<IReadOnlyDictionary<JobId, FogException>> HoldAsync(IReadOnlyList<AdmittedJob> jobs, CancellationToken cancel)
    {
        // Before the journal's keys, against the usual order: those name jobs that nobody else knows yet, so no one can be waiting for them.
        var balances = new Dictionary<LedgerAccount, long>(await ledger.LockAsync(
            [.. jobs.Select(j => j.Requester).Distinct().SelectMany(owner => new[] { LedgerAccount.Held(owner), LedgerAccount.Available(owner) })], cancel));
        var (opened, beyond) = (new List<Hold>(jobs.Count), new List<Hold>());
        foreach (var hold in jobs.Select(j => Hold.Open(j.Job, j.Requester, j.HoldMicro, j.At, j.EndsBy)))
        {
            var account = LedgerAccount.Available(hold.Owner);
            var suffices = balances[account] >= hold.Amount;
            (suffices ? opened : beyond).Add(hold);
            balances[account] -= suffices ? hold.Amount : 0;
        }
        var written = await holds.AddAsync(opened, cancel);
        await ledger.PostAsync([.. opened.Where(h => written.Contains(h.Job)).Select(h => h.Placement()).OfType<Transfer>()], [], cancel);

        // A repetition finds its hold, whatever it could pay for now.
        var others = opened.Where(h => !written.Contains(h.Job)).Concat(beyond).ToList();
        var refused = new Dictionary<JobId, FogException>();
        var earlier = others.Count == 0 ? null : await holds.LockAsync([.. others.Select(h => h.Job)], cancel);
        foreach (var hold in others)
        {
            if (!earlier!.TryGetValue(hold.Job, out var found))
                refused.Add(hold.Job, new FogException(TokenomicsErrors.InsufficientFunds(LedgerAccount.Available(hold.Owner), balances[LedgerAccount.Available(hold.Owner)], hold.Amount)));
            else if (found.Owner != hold.Owner || found.Amount != hold.Amount)
                refused.Add(hold.Job, new FogException(TokenomicsErrors.KeyReused($"hold:{hold.Job}")));
        }
        return refused;
    }
}
