using System.Text.Json;
using System.Text.Json.Serialization;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.Tokenomics;

/// <summary>How charges are divided from some moment on; shares in hundredths of a percent of the charge, together at most all of it.</summary>
/// <param name="ProviderBp">To the owners of the agreeing devices.</param>
/// <param name="BurnedBp">Burned. What is left are fees.</param>
/// <param name="Version">Version of the pool's parameters that these are of.</param>
public sealed record SettlementShares(int ProviderBp, int BurnedBp, long Version);

/// <summary>
/// How one charge is divided: the agreeing replicas share the provider's part equally, a part is burned, the rest is the fee.
/// Shares and the burned part round down; whatever rounding leaves goes to the fees, so neither requester nor provider gains by it.
/// Always: <c>Share · payees + Fee + Burned = charge</c>.
/// </summary>
/// <param name="Share">Micro-credits to each payee.</param>
public readonly record struct PaySplit(long Share, long Fee, long Burned)
{
    private const int Whole = 10_000;

    public static PaySplit Of(long chargeMicro, int payees, SettlementShares shares)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(chargeMicro);
        ArgumentOutOfRangeException.ThrowIfLessThan(payees, 1);
        var share = Part(chargeMicro, shares.ProviderBp) / payees;
        var burned = Part(chargeMicro, shares.BurnedBp);
        return new PaySplit(share, chargeMicro - (share * payees) - burned, burned);
    }

    // Splitting off the ten-thousands keeps every long in range.
    private static long Part(long amount, int basisPoints) => (amount / Whole * basisPoints) + (amount % Whole * basisPoints / Whole);
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
    [property: JsonPropertyName("burned_bp")] int BurnedBp,
    [property: JsonPropertyName("shares_version")] long SharesVersion = 0)
{
    public static SettlementMetering? Of(Metering? metering, SettlementShares shares) => metering is null ? null : new(
        metering.BilledMs, metering.CpuMillicores, metering.MemoryBytes, JsonNamingPolicy.SnakeCaseLower.ConvertName(metering.Tier.ToString()), metering.PriceTenths,
        metering.CoreHourMicro, metering.GibHourMicro, metering.FormulaVersion, metering.CapMicro, metering.Results, metering.Audited, shares.ProviderBp, shares.BurnedBp, shares.Version);
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
    public static Transfer Charge(
        Hold hold, int taskIndex, long costMicro, IReadOnlyList<SettledReplica> payees, SettlementShares shares, DateTimeOffset at, Metering? metering = null)
    {
        var charged = hold.Charge(costMicro);
        var split = PaySplit.Of(charged, payees.Count, shares);
        var cause = new SettlementCause(costMicro, costMicro - charged,
            payees.Select(p => new SettlementPayee(p.Owner.Value, p.Device, p.Attempt.Value, split.Share, p.Score, p.WallMs)).ToArray(), SettlementMetering.Of(metering, shares));
        var movements = new List<Posting>(payees.Count + 3)
        {
            new(LedgerAccount.Held(hold.Owner), -charged),
            new(LedgerAccount.System(AccountKind.Fees), split.Fee),
            new(LedgerAccount.System(AccountKind.Burned), split.Burned),
        };
        movements.AddRange(payees.Select(p => new Posting(LedgerAccount.Available(p.Owner), split.Share)));
        return Transfer.Create(TransferKind.Settlement, KeyOf(hold.Job, taskIndex), movements, at, hold.Job, taskIndex, cause.ToJson());
    }

    /// <summary>True when a repeated request asks for what is already on record: same cost, same replicas in any order. By which shares it was divided then is settled, whatever they are now.</summary>
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
