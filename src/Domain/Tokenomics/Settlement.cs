using System.Text.Json;
using System.Text.Json.Serialization;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.Tokenomics;

/// <summary>
/// How one charge is divided: the agreeing replicas share 97 % equally, the rest is the fee, of which 1 % of the charge (a third of 3 %) is burned.
/// Shares and the burned part round down; whatever rounding leaves goes to the fees, so neither requester nor provider gains by it.
/// Always: <c>Share · payees + Fee + Burned = charge</c>.
/// </summary>
/// <param name="Share">Micro-credits to each payee.</param>
public readonly record struct PaySplit(long Share, long Fee, long Burned)
{
    public const int ProviderPercent = 97;
    public const int BurnedPercent = 1;

    public static PaySplit Of(long chargeMicro, int payees)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(chargeMicro);
        ArgumentOutOfRangeException.ThrowIfLessThan(payees, 1);
        var share = Percent(chargeMicro, ProviderPercent) / payees;
        var burned = Percent(chargeMicro, BurnedPercent);
        return new PaySplit(share, chargeMicro - (share * payees) - burned, burned);
    }

    // Splitting off the hundreds keeps every long in range.
    private static long Percent(long amount, int percent) => (amount / 100 * percent) + (amount % 100 * percent / 100);
}

/// <summary>One agreeing replica: who is paid for which attempt on which device.</summary>
public sealed record SettlementPayee(
    [property: JsonPropertyName("owner")] Guid Owner,
    [property: JsonPropertyName("device")] string Device,
    [property: JsonPropertyName("attempt")] Guid Attempt,
    [property: JsonPropertyName("amount")] long AmountMicro);

/// <summary>Why a settlement has its amounts; kept as JSON text in the journal. All amounts in micro-credits.</summary>
/// <param name="CostMicro">What the task cost by its metering.</param>
/// <param name="ShortfallMicro">The part of the cost that the hold could not cover; nobody was paid it.</param>
public sealed record SettlementCause(
    [property: JsonPropertyName("cost")] long CostMicro,
    [property: JsonPropertyName("shortfall")] long ShortfallMicro,
    [property: JsonPropertyName("payees")] IReadOnlyList<SettlementPayee> Payees)
{
    public string ToJson() => JsonSerializer.Serialize(this, CauseJson.Default.SettlementCause);

    public static SettlementCause Parse(string json) =>
        JsonSerializer.Deserialize(json, CauseJson.Default.SettlementCause) ?? throw new FormatException("A settlement without a cause.");
}

[JsonSerializable(typeof(SettlementCause))]
internal sealed partial class CauseJson : JsonSerializerContext;

/// <summary>Pays for one verified task out of the hold of its job.</summary>
public static class Settlement
{
    public static string KeyOf(JobId job, int taskIndex) => $"settle:{job}:{taskIndex}";

    /// <summary>
    /// Charges the hold and returns the balanced transfer: held −charge, payees their shares, fees, burned. A cost above what the hold has
    /// left is cut to that, and the missing part is on record as shortfall.
    /// </summary>
    public static Transfer Charge(Hold hold, int taskIndex, long costMicro, IReadOnlyList<(AccountId Owner, string Device, AttemptId Attempt)> payees, DateTimeOffset at)
    {
        var charged = hold.Charge(costMicro);
        var split = PaySplit.Of(charged, payees.Count);
        var cause = new SettlementCause(costMicro, costMicro - charged,
            payees.Select(p => new SettlementPayee(p.Owner.Value, p.Device, p.Attempt.Value, split.Share)).ToArray());
        var movements = new List<Posting>(payees.Count + 3)
        {
            new(LedgerAccount.Held(hold.Owner), -charged),
            new(LedgerAccount.System(AccountKind.Fees), split.Fee),
            new(LedgerAccount.System(AccountKind.Burned), split.Burned),
        };
        movements.AddRange(payees.Select(p => new Posting(LedgerAccount.Available(p.Owner), split.Share)));
        return Transfer.Create(TransferKind.Settlement, KeyOf(hold.Job, taskIndex), movements, at, hold.Job, taskIndex, cause.ToJson());
    }

    /// <summary>True when a repeated request asks for what is already on record: same cost, same replicas in any order.</summary>
    public static bool IsRepeat(Transfer recorded, long costMicro, IReadOnlyList<(AccountId Owner, string Device, AttemptId Attempt)> payees)
    {
        if (recorded.Cause is null)
            return false;
        var cause = SettlementCause.Parse(recorded.Cause);
        return cause.CostMicro == costMicro
            && cause.Payees.Select(p => (new AccountId(p.Owner), p.Device, new AttemptId(p.Attempt))).ToHashSet().SetEquals(payees)
            && cause.Payees.Count == payees.Count;
    }
}
