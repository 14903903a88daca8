using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>Decides appealed slashes: for operators, and for proposals.</summary>
public interface ISlashCourt
{
    /// <summary>
    /// Upheld: the harmed requester gets its share, the rest is burned. Reversed: all of it goes back where it was taken from, staked and unbonding, with
    /// the clocks it had there. Within the current transaction.
    /// </summary>
    /// <param name="by">Who decided: an account's address, or the id of a proposal.</param>
    /// <exception cref="FogException">404 <c>tokenomics.slash_not_found</c>, 409 <c>tokenomics.slash_not_appealed</c>.</exception>
    Task DecideAsync(Guid slashId, bool uphold, string by, string reason, CancellationToken cancel);
}

/// <summary>Takes, executes and gives back slashes.</summary>
internal sealed class SlashCourt(StakeDesk desk, ILedger ledger, IStakes stakes, ISlashes slashes, IParameters parameters, TimeProvider time) : ISlashCourt
{
    private static readonly LedgerAccount Escrow = LedgerAccount.System(AccountKind.Slashed);

    /// <summary>What taking slashes from these owners locks; nothing for none.</summary>
    public static IReadOnlyCollection<LedgerAccount> Locks(IReadOnlyCollection<AccountId> owners) =>
        owners.Count == 0 ? [] : [.. owners.SelectMany(o => new[] { LedgerAccount.Unbonding(o), LedgerAccount.Staked(o) }), Escrow];

    /// <summary>
    /// Takes from the owner of each attempt its share of what is staked and unbonding then, once per attempt and reason. Owners with nothing staked
    /// lose nothing and get no record: there is nothing to appeal.
    /// </summary>
    public async Task SlashAsync(SlashReason reason, IReadOnlyList<BlamedAttempt> attempts, DateTimeOffset at, CancellationToken cancel)
    {
        var values = await parameters.CurrentAsync(cancel);
        var share = values[reason == SlashReason.WrongResult ? ParameterCatalogue.WrongResultSlash : ParameterCatalogue.EquivocationSlash];
        var owners = share == 0 ? [] : await stakes.OpenOwnersAsync([.. attempts.Select(a => a.Owner).Distinct()], cancel);
        if (owners.Count == 0)
            return;
        var known = await slashes.SlashedAsync(reason, [.. attempts.Select(a => a.Attempt.Value)], cancel);
        var open = await desk.OpenAsync(owners, Locks(owners), at, cancel);
        var taken = new Dictionary<Guid, Slash>();
        foreach (var blamed in attempts.Where(a => open.ContainsKey(a.Owner) && !known.Contains(a.Attempt.Value) && !taken.ContainsKey(a.Attempt.Value)))
        {
            var take = open[blamed.Owner].Slash(share);
            if (take is { FromStaked: 0, FromUnbonding: 0 })
                continue;
            var offence = new Offence(reason, blamed.Owner, blamed.Requester, blamed.Job, blamed.TaskIndex, blamed.DeviceId, blamed.Attempt, blamed.Evidence);
            taken.Add(blamed.Attempt.Value, Slash.Escrow(Guid.CreateVersion7(at), offence, take, values[ParameterCatalogue.HarmedShare], values.Span(ParameterCatalogue.AppealTime), at));
        }
        if (taken.Count == 0)
            return;
        await desk.CloseAsync([.. open.Values], [.. taken.Values.Select(s => s.Taking())], cancel);
        await slashes.AddAsync(taken.Values, cancel);
    }

    /// <summary>Executes slashes that nobody appealed in time; returns how many.</summary>
    public async Task<int> ExecuteUnappealedAsync(int limit, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var due = await slashes.ClaimUnappealedAsync(now, limit, cancel);
        if (due.Count == 0)
            return 0;
        await ledger.PostAsync([.. due.Select(s => s.ExecuteUnappealed(now))], [], cancel);
        await slashes.SaveAsync(due, cancel);
        return due.Count;
    }

    public async Task DecideAsync(Guid slashId, bool uphold, string by, string reason, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var slash = await slashes.LockAsync(slashId, cancel) ?? throw new FogException(TokenomicsErrors.SlashNotFound);
        var transfer = slash.Decide(uphold, by, reason, now);
        if (uphold)
        {
            await ledger.PostAsync([transfer], [], cancel);
        }
        else
        {
            var owner = slash.Offence.Owner;
            var stake = (await desk.OpenAsync([owner], Locks([owner]), now, cancel))[owner];
            stake.Restore(slash.Taken, Guid.CreateVersion7(now), Guid.CreateVersion7(now), now);
            await desk.CloseAsync([stake], [transfer], cancel);
        }
        await slashes.SaveAsync([slash], cancel);
    }
}
