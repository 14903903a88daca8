using FogCompute.Domain.Common;

namespace FogCompute.Domain.Tokenomics;

public static class TokenomicsErrors
{
    public static readonly FogError AddressNotFound = new("tokenomics.address_not_found", ErrorKind.NotFound, "No account has this ledger address. Addresses start with 'fog1'; your own is in GET /api/tokenomics/balance.");
    public static readonly FogError NoLedgerAccount = new("tokenomics.no_ledger_account", ErrorKind.NotFound, "This caller owns no ledger account. Name one with 'address', or call with an API key of an account.");

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
}
