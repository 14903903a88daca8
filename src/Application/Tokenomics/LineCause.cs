using System.Text.Json;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>
/// Why a line has its amount. A settlement's charge follows from these fields:
/// <c>cost = min(cap, ceil((cores × coreHour + memoryGib × gibHour) × multiplier × seconds ÷ 3600))</c> in micro-credits, at least one; the charge is cost − shortfall; each of
/// <c>agreeing</c> replicas gets <c>floor(floor(charge × providerShare) ÷ agreeing)</c>. Fields that a line has nothing to say on are null, and so are those of settlements recorded before
/// measurements were kept.
/// </summary>
/// <param name="DeviceId">The paid device, and its attempt and score, where the line is of one; <paramref name="Replicas"/> has all of them.</param>
/// <param name="DeviceScore">Operations per second of the reference kernel on one core, as the device had measured when the result was accepted.</param>
/// <param name="Seconds">Mean wall time of the agreeing replicas, as charged.</param>
/// <param name="Multiplier">Of the tier.</param>
/// <param name="Verification">For people: <c>2 of 3 agreed</c>, <c>2 of 2 agreed, audited</c>.</param>
/// <param name="Agreeing">Results that agreed and are paid.</param>
/// <param name="Results">Results that were compared.</param>
/// <param name="FormulaVersion">Version of the parameters that the prices come from.</param>
/// <param name="CoreHour">Credits for one core and hour.</param>
/// <param name="GibHour">Credits for one GiB and hour.</param>
/// <param name="Cap">Credits that were held for the task.</param>
/// <param name="Cost">Credits; what the task cost by its metering.</param>
/// <param name="Shortfall">Credits of the cost that the hold did not cover.</param>
/// <param name="ProviderShare">Fraction of the charge that the replicas share.</param>
/// <param name="BurnedShare">Fraction of the charge that is burned; what is left are fees.</param>
/// <param name="Replicas">To the payer all paid replicas, to a payee its own.</param>
public sealed record LineCauseDto(
    Guid? JobId, int? TaskIndex, string? DeviceId, Guid? AttemptId, double? DeviceScore, decimal? Seconds, decimal? Cores, decimal? MemoryGib, string? Tier, decimal? Multiplier,
    string? Verification, int? Agreeing, int? Results, bool? Audited, long? FormulaVersion, decimal? CoreHour, decimal? GibHour, decimal? Cap, decimal? Cost, decimal? Shortfall,
    decimal? ProviderShare, decimal? BurnedShare, IReadOnlyList<MeteredReplicaDto>? Replicas, string? Reason, string? ProposalId, string? SlashId);

/// <param name="Seconds">Wall time of this attempt.</param>
/// <param name="Amount">Credits paid for it.</param>
public sealed record MeteredReplicaDto(string DeviceId, Guid AttemptId, double? DeviceScore, decimal? Seconds, decimal Amount);

internal static class LineCause
{
    private static readonly LineCauseDto Nothing = new(
        null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

    /// <param name="reader">Who reads; null: an operator, who sees everything.</param>
    public static LineCauseDto? Of(StatementLine line, Guid? reader)
    {
        var known = Nothing with { JobId = line.Job, TaskIndex = line.TaskIndex };
        var found = line.Cause is null ? known : line.Kind == TransferKind.Settlement ? OfSettlement(known, line, reader) : Other(known, line.Cause);
        return found == Nothing ? null : found;
    }

    private static LineCauseDto OfSettlement(LineCauseDto known, StatementLine line, Guid? reader)
    {
        var cause = SettlementCause.Parse(line.Cause!);
        // The payer sees whom the job paid; a payee sees only what its own machines did.
        var replicas = cause.Payees.Where(p => reader is null || line.Account == AccountKind.Held || p.Owner == reader)
            .Select(p => new MeteredReplicaDto(p.Device, p.Attempt, p.Score, p.WallMs / 1000m, Credits.FromMicro(p.AmountMicro))).ToArray();
        var only = replicas.Length == 1 ? replicas[0] : null;
        var settled = known with
        {
            DeviceId = only?.DeviceId, AttemptId = only?.AttemptId, DeviceScore = only?.DeviceScore, Replicas = replicas,
            Agreeing = cause.Payees.Count, Cost = Credits.FromMicro(cause.CostMicro), Shortfall = Credits.FromMicro(cause.ShortfallMicro),
        };
        return cause.Metering is not { } metering ? settled : settled with
        {
            Seconds = metering.BilledMs / 1000m, Cores = metering.CpuMillicores / 1000m, MemoryGib = metering.MemoryBytes / (decimal)(1L << 30), Tier = metering.Tier,
            Multiplier = metering.PriceTenths / 10m, Results = metering.Results, Audited = metering.Audited, FormulaVersion = metering.FormulaVersion,
            Verification = $"{cause.Payees.Count} of {metering.Results} agreed{(metering.Audited ? ", audited" : "")}",
            CoreHour = Credits.FromMicro(metering.CoreHourMicro), GibHour = Credits.FromMicro(metering.GibHourMicro), Cap = Credits.FromMicro(metering.CapMicro),
            ProviderShare = metering.ProviderBp / 10_000m, BurnedShare = metering.BurnedBp / 10_000m,
        };
    }

    /// <summary>Slashes and grants name what decided them in their own documents.</summary>
    private static LineCauseDto Other(LineCauseDto known, string cause)
    {
        using var document = JsonDocument.Parse(cause);
        return document.RootElement.ValueKind != JsonValueKind.Object ? known : known with
        {
            DeviceId = Text(document, "device"), AttemptId = Guid.TryParse(Text(document, "attempt"), out var attempt) ? attempt : null, Reason = Text(document, "reason"),
            ProposalId = Text(document, "proposal"), SlashId = Text(document, "slash"),
        };
    }

    private static string? Text(JsonDocument document, string name) =>
        document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
