using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Domain.Tokenomics;

public static class TokenomicsErrors
{
    public static readonly FogError AddressNotFound = new("tokenomics.address_not_found", ErrorKind.NotFound, "No account has this ledger address. Addresses start with 'fog1'; your own is in GET /api/tokenomics/balance.");
    public static readonly FogError NoLedgerAccount = new("tokenomics.no_ledger_account", ErrorKind.NotFound, "This caller owns no ledger account. Name one with 'address', or call with an API key of an account.");

    public static readonly FogError ParameterUnknown = new("tokenomics.parameter_not_found", ErrorKind.NotFound, "There is no parameter of this name. GET /api/tokenomics/parameters lists them.");
    public static readonly FogError NothingToRehearse = new("tokenomics.nothing_to_rehearse", ErrorKind.NotFound, "No proposal with this id would set a parameter, so there is nothing to rehearse. GET /api/tokenomics/proposals lists them.");

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
}
