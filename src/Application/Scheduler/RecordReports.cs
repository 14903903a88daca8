using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Protocol;

namespace FogCompute.Application.Scheduler;

// POST /api/scheduler/nodes/{id}/reports
// Takes in how attempts ended; accepts, settles and pays in this same transaction. Repeating a report changes nothing.

[RequiresPermission(Permissions.DeviceAgent)]
public sealed record RecordReportsCommand : ICommand<ReportResponse>
{
    /// <summary>1–256 reports.</summary>
    public required IReadOnlyList<AttemptReport> Items { get; init; }

    [JsonIgnore]
    public string DeviceId { get; init; } = "";
}

internal sealed class RecordReportsValidator : AbstractValidator<RecordReportsCommand>
{
    public RecordReportsValidator()
    {
        RuleFor(c => c.Items).Must(i => i.Count is >= 1 and <= 256).WithMessage("1–256 reports.");
        RuleForEach(c => c.Items).ChildRules(item =>
        {
            item.RuleFor(i => i.Outcome).Must(o => AttemptOutcomes.All.Contains(o, StringComparer.Ordinal)).WithMessage($"must be one of {string.Join(", ", AttemptOutcomes.All)}.");
            item.RuleFor(i => i.OutputDigest).Must(SubmitJobValidator.BeSha256).When(i => i.Outcome == AttemptOutcomes.Succeeded).WithMessage("a succeeded attempt needs its output digest (64 lower-case hex digits).");
            item.RuleFor(i => i.StdoutSha256).Must(SubmitJobValidator.BeSha256).When(i => i.StdoutSha256 is not null).WithMessage("must be 64 lower-case hex digits.");
            item.RuleFor(i => i.StderrSha256).Must(SubmitJobValidator.BeSha256).When(i => i.StderrSha256 is not null).WithMessage("must be 64 lower-case hex digits.");
            item.RuleFor(i => i.CheckpointSha256).Must(SubmitJobValidator.BeSha256).When(i => i.CheckpointSha256 is not null).WithMessage("must be 64 lower-case hex digits.");
            item.RuleFor(i => i.WallMs).InclusiveBetween(0, 31_536_000_000);
            item.RuleFor(i => i.CpuMs).InclusiveBetween(0, 31_536_000_000_000);
            item.RuleFor(i => i.Reason).MaximumLength(100);
            item.RuleFor(i => i.Message).MaximumLength(2000);
            item.RuleFor(i => i.LogTail).MaximumLength(32_768);
            item.RuleFor(i => i.Outputs).Must(o => o.Count <= 4096).WithMessage("at most 4096 outputs.");
            item.RuleForEach(i => i.Outputs).Must(o => o.Path.Length is >= 1 and <= 512 && SubmitJobValidator.BeSha256(o.Sha256) && o.Size >= 0).WithMessage("needs a path of 1–512 characters, a SHA-256 and a size ≥ 0.");
        });
    }
}

internal sealed class RecordReportsHandler(
    IJobQueue queue, IDeviceDirectory devices, IParameters parameters, CallerContext context, Random random, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<RecordReportsCommand, ReportResponse>
{
    public async Task<ReportResponse> Handle(RecordReportsCommand command, CancellationToken cancellationToken)
    {
        DeviceAccess.RequireSelf(context.Caller, command.DeviceId);
        var now = time.GetUtcNow();
        var ends = new AttemptEnds(queue, devices, transaction);
        var device = await devices.FindAsync(command.DeviceId, cancellationToken) ?? throw new FogException(IdleComputeErrors.DeviceNotFound);
        Verify(device, command.Items);
        var executions = await queue.LockByAttemptsAsync([.. command.Items.Select(i => new AttemptId(i.AttemptId))], cancellationToken);
        var byAttempt = executions.SelectMany(e => e.Attempts.Select(a => (Attempt: a, Execution: e))).ToDictionary(x => x.Attempt.Id.Value);
        var values = await parameters.CurrentAsync(cancellationToken);
        var auditPossible = new Lazy<Task<bool>>(() => devices.AnotherTakesLeasesAsync(device.Id, cancellationToken));

        var acks = new List<ReportAck>(command.Items.Count);
        foreach (var item in command.Items)
        {
            if (!byAttempt.TryGetValue(item.AttemptId, out var found) || found.Attempt.DeviceId != device.Id)
            {
                acks.Add(new ReportAck(item.AttemptId, "unknown"));
                continue;
            }
            var (attempt, execution) = found;
            if (!attempt.State.IsLive() || attempt.Epoch != item.Epoch)
            {
                // A copy of what was recorded is recorded; anything else under a lease that has ended is stale.
                var copy = attempt.Epoch == item.Epoch && attempt.Signature is not null && attempt.Signature == item.Signature;
                if (!copy && Equivocation.Evidence(device, attempt, item) is { } evidence)
                    ends.AddEquivocation(attempt, evidence);
                acks.Add(new ReportAck(item.AttemptId, copy ? "recorded" : "stale"));
                continue;
            }
            var result = ResultOf(item);
            var terms = execution.Terms.Tier;
            var audit = result.End == AttemptState.Reported && values.AuditsOf(terms).Rate(device.VerifiedStreak) is > 0 and var rate
                && random.NextDouble() < rate && await auditPossible.Value;
            ends.Add(execution, execution.Report(attempt, result, audit, random.NextDouble(), now));
            if (result.End == AttemptState.Lost)
                ends.AddLoss(device.Id);
            else if (result.End == AttemptState.Evicted)
                ends.AddEviction(device.Id);
            acks.Add(new ReportAck(item.AttemptId, "recorded"));
        }
        await ends.CompleteAsync(executions, now, cancellationToken);
        return new ReportResponse { Items = acks };
    }

    private static void Verify(ReportingDevice device, IReadOnlyList<AttemptReport> items)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(device.PublicKey ?? throw new FogException(IdleComputeErrors.NoPublicKey), out _);
        if (!items.All(item => Receipt.Verify(key, device.Id, item)))
            throw new FogException(IdleComputeErrors.BadSignature);
    }

    private static AttemptResult ResultOf(AttemptReport item) => new()
    {
        End = item.Outcome switch
        {
            AttemptOutcomes.Succeeded => AttemptState.Reported,
            AttemptOutcomes.TimedOut => AttemptState.TimedOut,
            AttemptOutcomes.Evicted => AttemptState.Evicted,
            AttemptOutcomes.Preempted => AttemptState.Preempted,
            AttemptOutcomes.Declined => AttemptState.Declined,
            AttemptOutcomes.DeviceError => AttemptState.Lost,
            AttemptOutcomes.Cancelled => AttemptState.Evicted,
            _ => AttemptState.Crashed,
        },
        Reason = item.Reason, Message = item.Message, ExitCode = item.ExitCode, StartedAt = item.StartedAt?.ToUniversalTime(), FinishedAt = item.FinishedAt?.ToUniversalTime(),
        WallMs = item.WallMs, CpuMs = item.CpuMs, PeakMemoryBytes = item.PeakMemoryBytes, OutputDigest = item.OutputDigest,
        Output = item.Outputs.Count == 0 && item.Measurements is null ? null : JsonSerializer.Serialize(new AttemptOutput(item.Outputs, item.Measurements), WireJson.Responses),
        StdoutSha256 = item.StdoutSha256, StderrSha256 = item.StderrSha256, LogTail = item.LogTail, LogBytes = item.LogBytes, Signature = item.Signature, CheckpointSha256 = item.CheckpointSha256,
    };
}

/// <summary>
/// Whether a device contradicts itself: the receipt of a result that is on record, and another one for the same attempt and epoch, both signed with its present
/// key. The caller has verified the new one. An agent signs a receipt once, when it stores it, and repeats that one; so a different one is no accident.
/// </summary>
internal static class Equivocation
{
    /// <summary>Both receipts and the key as JSON, so that anyone can verify them; null: nothing is proven.</summary>
    public static string? Evidence(ReportingDevice device, Attempt attempt, AttemptReport item)
    {
        // Only results that were taken in have their receipts complete on record, and only they can be paid or outvoted.
        if (attempt.Epoch != item.Epoch || attempt is not { Signature: { } signature, OutputDigest: { } digest } || device.PublicKey is not { } publicKey)
            return null;
        var recorded = new AttemptReport
        {
            AttemptId = item.AttemptId, Epoch = attempt.Epoch, Outcome = AttemptOutcomes.Succeeded, OutputDigest = digest, WallMs = attempt.WallMs, CpuMs = attempt.CpuMs, Signature = signature,
        };
        if (Receipt.Bytes(device.Id, recorded).AsSpan().SequenceEqual(Receipt.Bytes(device.Id, item)))
            return null;
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(publicKey, out _);
        return Receipt.Verify(key, device.Id, recorded) ? JsonSerializer.Serialize(new { device = device.Id, publicKey, recorded = Signed(recorded), contrary = Signed(item) }, WireJson.Responses) : null;
    }

    /// <summary>What the signature is over.</summary>
    private static object Signed(AttemptReport report) =>
        new { report.AttemptId, report.Epoch, report.Outcome, report.OutputDigest, report.WallMs, report.CpuMs, report.CheckpointSha256, report.Signature };
}

/// <summary>What an attempt produced, as stored with it.</summary>
public sealed record AttemptOutput(IReadOnlyList<OutputFile> Outputs, IReadOnlyDictionary<string, double>? Measurements);

internal static class DeviceAccess
{
    /// <summary>A device key speaks for its own device only.</summary>
    public static void RequireSelf(Caller caller, string deviceId)
    {
        if (caller.DeviceId != deviceId)
            throw new FogException(IdleComputeErrors.NotThisDevice);
    }
}
