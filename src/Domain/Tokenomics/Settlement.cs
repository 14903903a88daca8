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

/// <summary>An agreeing replica as it is to be paid.</summary>
/// <param name="Score">The device's measured compute score at the acceptance; null: not measured.</param>
/// <param name="WallMs">Wall milliseconds of this attempt; null: not metered.</param>
public readonly record struct SettledReplica(AccountId Owner, string Device, AttemptId Attempt, double? Score = null, long? WallMs = null);

/// <summary>One agreeing replica: who is paid for which attempt on which device, and what was measured there.</summary>
public sealed record SettlementPayee(
    [property: JsonPropertyName("owner")] Guid Owner,
    [property: JsonPropertyName("device")] string Device,
    [property: JsonPropertyName("attempt")] Guid Attempt,
    [property: JsonPropertyName("amount")] long AmountMicro,
    [property: JsonPropertyName("score")] double? Score = null,
    [property: JsonPropertyName("ms")] long? WallMs = null);

/// <summary>How the cost follows from what was measured and how the charge was divided, as recorded; see <see cref="Metering"/> and <see cref="PaySplit"/>.</summary>
public sealed record SettlementMetering(
    [property: JsonPropertyName("ms")] long BilledMs,
    [property: JsonPropertyName("millicores")] int CpuMillicores,
    [property: JsonPropertyName("memory")] long MemoryBytes,
    [property: JsonPropertyName("tier")] string Tier,
    [property: JsonPropertyName("tenths")] int PriceTenths,
    [property: JsonPropertyName("core_hour")] long CoreHourMicro,
    [property: JsonPropertyName("gib_hour")] long GibHourMicro,
    [property: JsonPropertyName("version")] long FormulaVersion,
    [property: JsonPropertyName("cap")] long CapMicro,
    [property: JsonPropertyName("results")] int Results,
    [property: JsonPropertyName("audited")] bool Audited,
    [property: JsonPropertyName("provider_bp")] int ProviderBp,
    [property: JsonPropertyName("burned_bp")] int BurnedBp)
{
    public static SettlementMetering? Of(Metering? metering) => metering is null ? null : new(
        metering.BilledMs, metering.CpuMillicores, metering.MemoryBytes, JsonNamingPolicy.SnakeCaseLower.ConvertName(metering.Tier.ToString()), metering.PriceTenths,
        metering.CoreHourMicro, metering.GibHourMicro, metering.FormulaVersion, metering.CapMicro, metering.Results, metering.Audited, PaySplit.ProviderPercent * 100, PaySplit.BurnedPercent * 100);
}

/// <summary>Why a settlement has its amounts; kept as JSON text in the journal. All amounts in micro-credits.</summary>
/// <param name="CostMicro">What the task cost by its metering.</param>
/// <param name="ShortfallMicro">The part of the cost that the hold could not cover; nobody was paid it.</param>
/// <param name="Metering">What the cost follows from; null in settlements that were recorded before it was kept.</param>
public sealed record SettlementCause(
    [property: JsonPropertyName("cost")] long CostMicro,
    [property: JsonPropertyName("shortfall")] long ShortfallMicro,
    [property: JsonPropertyName("payees")] IReadOnlyList<SettlementPayee> Payees,
    [property: JsonPropertyName("metering")] SettlementMetering? Metering = null)
{
    public string ToJson() => JsonSerializer.Serialize(this, CauseJson.Default.SettlementCause);

    public static SettlementCause Parse(string json) =>
        JsonSerializer.Deserialize(json, CauseJson.Default.SettlementCause) ?? throw new FormatException("A settlement without a cause.");
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
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
    public static Transfer Charge(Hold hold, int taskIndex, long costMicro, IReadOnlyList<SettledReplica> payees, DateTimeOffset at, Metering? metering = null)
    {
        var charged = hold.Charge(costMicro);
        var split = PaySplit.Of(charged, payees.Count);
        var cause = new SettlementCause(costMicro, costMicro - charged,
            payees.Select(p => new SettlementPayee(p.Owner.Value, p.Device, p.Attempt.Value, split.Share, p.Score, p.WallMs)).ToArray(), SettlementMetering.Of(metering));
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
    public static bool IsRepeat(Transfer recorded, long costMicro, IReadOnlyList<SettledReplica> payees)
    {
        if (recorded.Cause is null)
            return false;
        var cause = SettlementCause.Parse(recorded.Cause);
        return cause.CostMicro == costMicro
            && cause.Payees.Select(p => (new AccountId(p.Owner), p.Device, new AttemptId(p.Attempt))).ToHashSet().SetEquals(payees.Select(p => (p.Owner, p.Device, p.Attempt)))
            && cause.Payees.Count == payees.Count;
    }
}
