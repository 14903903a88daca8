using System.Globalization;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Domain.Tokenomics;

public static class TokenomicsErrors
{
    public static readonly FogError AddressNotFound = new("tokenomics.address_not_found", ErrorKind.NotFound, "No account has this ledger address. Addresses start with 'fog1'; your own is in GET /api/tokenomics/balance.");
    public static readonly FogError NoLedgerAccount = new("tokenomics.no_ledger_account", ErrorKind.NotFound, "This caller owns no ledger account. Name one with 'address', or call with an API key of an account.");

    public static readonly FogError ParameterNotFound = new("tokenomics.parameter_not_found", ErrorKind.NotFound, "There is no parameter of this name. GET /api/tokenomics/parameters lists them.");
    public static readonly FogError NothingToRehearse = new("tokenomics.nothing_to_rehearse", ErrorKind.NotFound, "No proposal with this id would set a parameter, so there is nothing to rehearse. GET /api/tokenomics/proposals lists them.");
    public static readonly FogError WholeJournal = new("tokenomics.operators_only", ErrorKind.Forbidden, "The whole journal is for operators. Leave 'all' out for your own lines.");
    public static readonly FogError CheckpointNotFound = new("tokenomics.checkpoint_not_found", ErrorKind.NotFound, "There is no checkpoint of that day. GET /api/tokenomics/checkpoints lists them; the first is made when the ledger first runs, then one each day (UTC).");

    public static FogError FutureInstant(DateTimeOffset now) =>
        new("tokenomics.future_instant", ErrorKind.Invalid, $"must be an instant up to now, {now.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}; what accounts will hold later is not known.");

    public static FogError AccountMissing(LedgerAccount account) =>
        new("tokenomics.account_missing", ErrorKind.NotFound, $"The ledger has no account '{account}'. It opens together with the identity account.");

    public static FogError HoldMissing(string job) =>
        new("tokenomics.hold_missing", ErrorKind.Conflict, $"Job {job} has no hold, so nothing can be settled for it. Only an admitted job has one.");

    public static FogError InsufficientFunds(LedgerAccount account, long balanceMicro, long neededMicro) =>
        new("tokenomics.insufficient_funds", ErrorKind.Conflict,
            $"{(account.Kind == AccountKind.Available ? "The available balance" : $"The balance of {account}")} is {Credits.FromMicro(balanceMicro)} credits; {Credits.FromMicro(neededMicro)} are needed. Earn credits by lending a machine, or ask for less (fewer tasks, lower tier, shorter estimate).");

    public static FogError KeyReused(string key) =>
        new("tokenomics.transfer_key_reused", ErrorKind.Conflict, $"A different transfer is already recorded under '{key}'. Nothing was changed.");

    public static readonly FogError SlashNotFound = new("tokenomics.slash_not_found", ErrorKind.NotFound, "There is no such slash. Those of an account are in GET /api/tokenomics/slashes.");

    public static FogError StakeTooSmall(long minimumMicro) =>
        new("tokenomics.stake_too_small", ErrorKind.Invalid, $"At least {Credits.FromMicro(minimumMicro)} credits are staked at once.");

    public static FogError TooManyStakes(int most) =>
        new("tokenomics.too_many_stakes", ErrorKind.Conflict, $"An account has at most {most} open stakes. Unstake some of them, or stake more at once.");

    public static FogError TooManyUnbondings(int most) =>
        new("tokenomics.too_many_unbondings", ErrorKind.Conflict, $"An account has at most {most} amounts unbonding. Claim those whose time has come first.");

    public static FogError InsufficientStake(long stakedMicro, long neededMicro) =>
        new("tokenomics.insufficient_stake", ErrorKind.Conflict, $"{Credits.FromMicro(stakedMicro)} credits are staked; {Credits.FromMicro(neededMicro)} are needed.");

    public static FogError StakeLocked(long stakedMicro, long freeMicro, long neededMicro, DateTimeOffset availableFrom, string? why) =>
        new("tokenomics.stake_locked", ErrorKind.Conflict,
            $"{Credits.FromMicro(stakedMicro)} credits are staked, of which {Credits.FromMicro(freeMicro)} can be unstaked now; {Credits.FromMicro(neededMicro)} are needed. So much is available from {Instant(availableFrom)}.{(why is null ? "" : " " + why)}");

    public static FogError NothingToClaim(long unbondingMicro, DateTimeOffset? availableFrom) =>
        new("tokenomics.nothing_to_claim", ErrorKind.Conflict, availableFrom is { } from
            ? $"Nothing can be claimed yet: {Credits.FromMicro(unbondingMicro)} credits are unbonding, the first of them available from {Instant(from)}."
            : "Nothing is unbonding, so there is nothing to claim.");

    public static FogError SlashNotAppealable(SlashState state) =>
        new("tokenomics.slash_not_appealable", ErrorKind.Conflict, $"This slash is {Word(state)}. Only one that is escrowed can be appealed, once.");

    public static FogError AppealOver(DateTimeOffset until) =>
        new("tokenomics.appeal_over", ErrorKind.Conflict, $"This slash could be appealed until {Instant(until)}.");

    public static FogError SlashNotAppealed(SlashState state, DateTimeOffset appealUntil) =>
        new("tokenomics.slash_not_appealed", ErrorKind.Conflict,
            $"This slash is {Word(state)}. Only an appealed one is decided; one that nobody appeals until {Instant(appealUntil)} is executed then.");

    /// <summary>Rounded up: at the instant named it is true.</summary>
    private static string Instant(DateTimeOffset at) => at.UtcDateTime.AddTicks(TimeSpan.TicksPerSecond - 1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    private static string Word(SlashState state) => state.ToString().ToLowerInvariant();

    // Governance.
    public static readonly FogError ProposalNotFound = new("tokenomics.proposal_not_found", ErrorKind.NotFound, "There is no such proposal. Ids are 64 hexadecimal digits; GET /api/tokenomics/proposals lists them.");
    public static readonly FogError CancelRefused = new("tokenomics.cancel_refused", ErrorKind.Forbidden, "Only its proposer (while it is pending) or a caller with the permission 'guard' (until it is executed) may cancel a proposal.");
    public static readonly FogError RecipientUnknown = new("tokenomics.recipient_unknown", ErrorKind.Invalid, "No account has this ledger address.");
    public static readonly FogError DelegateUnknown = new("tokenomics.delegate_unknown", ErrorKind.Invalid, "No account has this ledger address, so it cannot vote for you.");
    public static readonly FogError PayloadChanged = new("tokenomics.payload_changed", ErrorKind.Conflict, "The stored payload is not what was shown and voted on. It was not run.");

    public static FogError ProposalExists(string id) =>
        new("tokenomics.proposal_exists", ErrorKind.Conflict, $"You have made this very proposal before ({id}). Vote on that one, or change title or description to propose it again.");

    public static FogError ProposalThreshold(long stakedMicro, long neededMicro) =>
        new("tokenomics.proposal_threshold", ErrorKind.Conflict, $"A proposer must have {Credits.FromMicro(neededMicro)} credits staked; you have {Credits.FromMicro(stakedMicro)}. Stake more with POST /api/tokenomics/stake, or ask somebody who has that much.");

    public static FogError TooManyProposals(long open, long most) =>
        new("tokenomics.too_many_proposals", ErrorKind.Conflict, $"You have {open} unfinished proposals and may have {most} at a time. Wait for one to end, or cancel one that is pending.");

    public static FogError ParameterUnknown(string name) =>
        new("tokenomics.parameter_unknown", ErrorKind.Invalid, $"There is no parameter '{name}'. Known: {string.Join(", ", ParameterCatalogue.All.Select(p => p.Name))}.");

    public static FogError ParameterOutOfBounds(ParameterDefinition parameter, long value) =>
        new("tokenomics.parameter_out_of_bounds", ErrorKind.Invalid, $"A proposal may set '{parameter.Name}' to {parameter.Min}–{parameter.Max}; {value} is not.");

    public static FogError ParameterUnchanged(ParameterDefinition parameter, long value) =>
        new("tokenomics.parameter_unchanged", ErrorKind.Invalid, $"'{parameter.Name}' is {value} already.");

    public static FogError TreasuryLimit(long amountMicro, long allowedMicro, long treasuryMicro) =>
        new("tokenomics.treasury_limit", ErrorKind.Invalid, $"The treasury holds {Credits.FromMicro(treasuryMicro)} credits, of which proposals may still transfer {Credits.FromMicro(allowedMicro)} (grants of the last 30 days count); {Credits.FromMicro(amountMicro)} is more.");

    public static FogError NoVotingPower(DateTimeOffset snapshotAt) =>
        new("tokenomics.no_voting_power", ErrorKind.Conflict, $"You had nothing staked at the snapshot of {Instant(snapshotAt)} that is still staked, and nobody who had delegates to you. What is staked now counts for proposals that are pending.");

    public static FogError ProposalOver(ProposalState state) =>
        new("tokenomics.proposal_over", ErrorKind.Conflict, $"The proposal is {Word(state)}; that is final.");

    public static FogError ProposalIs(ProposalState state, ProposalState needed, Proposal proposal) => needed == ProposalState.Active
        ? new("tokenomics.voting_closed", ErrorKind.Conflict, state == ProposalState.Pending
            ? $"The proposal is pending: ballots are taken once its snapshot is taken, due {Instant(proposal.SnapshotAt)}."
            : $"The proposal is {Word(state)}: ballots were taken before {Instant(proposal.VotingEndsAt)}.")
        : new("tokenomics.proposal_state", ErrorKind.Conflict, $"The proposal is {Word(state)}; this is possible while it is {Word(needed)}.");

    private static string Word(ProposalState state) => state == ProposalState.ExecutionFailed ? "execution_failed" : state.ToString().ToLowerInvariant();
}
