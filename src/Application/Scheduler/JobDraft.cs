using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

/// <summary>A submit body with its defaults filled in and everything it names found to be there.</summary>
internal sealed record JobDraft(JobRequest Request, int DependenciesLeft, SubmitJobCommand Whole)
{
    private readonly Lazy<IReadOnlyDictionary<string, string>> _fields = new(() =>
        JsonSerializer.SerializeToNode(Whole with { QuoteId = null, Plan = null }, WireJson.Requests)!.AsObject()
            .ToDictionary(f => f.Key, f => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(f.Value?.ToJsonString() ?? "null")).AsSpan(0, 16)), StringComparer.Ordinal));

    /// <summary>Digest of each field as it is meant, by wire name: equal digests mean the same request. Only quotes need them.</summary>
    public IReadOnlyDictionary<string, string> Fields => _fields.Value;
}

/// <summary>Whether the jobs in depends_on stay locked: a submit counts on what it saw, a quote only looks.</summary>
internal enum DependencyLock { None, Held }

/// <summary>Makes drafts the same way for quotes and submits.</summary>
internal sealed class JobDrafts(ISchedulerDb db, IJobQueue queue, IArtifactCatalog artifacts, Caller caller)
{
    private const long MiB = 1L << 20;

    /// <summary>Without a wall limit of its own a run may take so many times its estimate. A clock of the job, not the margin of its hold: that one is tunable.</summary>
    private const double WallSlack = 1.1;

    /// <exception cref="FogException">The payload kind, an input or a dependency is not there.</exception>
    public async Task<JobDraft> MakeAsync(SubmitJobCommand command, DependencyLock locking, CancellationToken cancel)
    {
        var (whole, payload, limits) = Complete(command);
        if (payload.Kind == PayloadKinds.Container)
            throw SchedulerErrors.ContainerUnavailable.On("payload.kind");
        await RequireArtifactsAsync(command, payload, cancel);
        var dependenciesLeft = await CountDependenciesAsync(command, locking, cancel);
        return new JobDraft(RequestOf(whole, payload, limits), dependenciesLeft, whole);
    }

    /// <summary>Says outright what a body leaves to the defaults.</summary>
    private static (SubmitJobCommand Command, PayloadSpec Payload, LimitsSpec Limits) Complete(SubmitJobCommand command)
    {
        var payload = command.Payload ?? new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.DeviceBenchmark };
        var asked = command.Limits ?? new LimitsSpec();
        var limits = asked with
        {
            QueueSeconds = asked.QueueSeconds ?? 7 * 86_400, StageInSeconds = asked.StageInSeconds ?? 600, StageOutSeconds = asked.StageOutSeconds ?? 600,
            WallSeconds = asked.WallSeconds ?? (int)Math.Max(10, Math.Ceiling(TimeSpan.FromMinutes(command.DurationEstimate).TotalSeconds * WallSlack)),
            MemoryBytes = asked.MemoryBytes ?? (long)Math.Ceiling(command.MemoryRequired * MiB), DiskBytes = asked.DiskBytes ?? (1L << 30), OutputBytes = asked.OutputBytes ?? 64 * MiB,
            Processes = asked.Processes ?? 256,
        };
        return (command with
        {
            Payload = payload, Limits = limits, Isolation = command.Isolation ?? DefaultIsolation(payload.Kind), Array = command.Array ?? new ArraySpec { Count = 1 },
            Constraints = command.Constraints ?? new ConstraintsSpec(), Deadline = command.Deadline?.ToUniversalTime(),
        }, payload, limits);
    }

    private async Task RequireArtifactsAsync(SubmitJobCommand command, PayloadSpec payload, CancellationToken cancel)
    {
        var wanted = command.Inputs.Select((input, i) => (Field: $"inputs[{i}].sha256", Digest: DigestOf(input.Sha256))).ToList();
        if (payload.Kind == PayloadKinds.Wasm)
            wanted.Add(("payload.module", DigestOf(payload.Module!)));
        if (wanted.Count == 0)
            return;
        var missing = await artifacts.MissingAsync(caller.Account, [.. wanted.Select(w => w.Digest).Distinct()], cancel);
        if (missing.Count > 0)
        {
            throw new FogException(SchedulerErrors.InputMissing,
                wanted.Where(w => missing.Contains(w.Digest)).ToDictionary(w => w.Field, _ => new[] { SchedulerErrors.InputMissing.Message }, StringComparer.Ordinal));
        }
    }

    /// <summary>The validator has seen 64 hex digits.</summary>
    private static ArtifactDigest DigestOf(string sha256) => ArtifactDigest.TryParse(sha256, out var digest) ? digest : throw new InvalidOperationException("Not validated.");

    private async Task<int> CountDependenciesAsync(SubmitJobCommand command, DependencyLock locking, CancellationToken cancel)
    {
        if (command.DependsOn.Count == 0)
            return 0;
        var ids = command.DependsOn.Select(id => new JobId(id)).OrderBy(id => id.Value).ToList();
        var jobs = new List<Job>();
        if (locking == DependencyLock.None)
        {
            jobs.AddRange(await db.Jobs.AsNoTracking().Where(j => ids.Contains(j.Id) && j.AccountId == caller.Account).ToListAsync(cancel));
        }
        else
        {
            // Under their locks: a job that completes at this moment either is seen completed here or sees this one among its dependents.
            foreach (var id in ids)
            {
                if (await queue.LockJobAsync(id, cancel) is { } dependency && dependency.AccountId == caller.Account)
                    jobs.Add(dependency);
            }
        }
        if (jobs.Count < ids.Count)
            throw SchedulerErrors.DependencyNotFound.On("depends_on");
        if (jobs.Exists(j => !j.State.IsOpen() && j.State != JobState.Completed))
            throw SchedulerErrors.DependencyFailed.On("depends_on");
        return jobs.Count(j => j.State.IsOpen());
    }

    private JobRequest RequestOf(SubmitJobCommand command, PayloadSpec payload, LimitsSpec limits) => new()
    {
        Account = caller.Account, Name = command.Name, Tier = command.SlaTier, Estimate = TimeSpan.FromMinutes(command.DurationEstimate),
        Needs = new Requirements
        {
            CpuMillicores = (int)Math.Ceiling(command.CpuRequired * 1000), MemoryBytes = (long)Math.Ceiling(command.MemoryRequired * MiB), Gpus = (int)Math.Ceiling(command.GpuRequired),
            Isolation = command.Isolation!.Value, Network = command.Network, PayloadKind = payload.Kind,
            Labels = command.Constraints!.Labels, Regions = command.Constraints.Regions, ExcludedDevices = command.Constraints.ExcludeDevices,
        },
        Limits = new JobLimits(
            limits.QueueSeconds!.Value, limits.StageInSeconds!.Value, limits.WallSeconds!.Value, limits.StageOutSeconds!.Value,
            limits.MemoryBytes!.Value, limits.DiskBytes!.Value + (long)(command.DataSizeMb * MiB), limits.OutputBytes!.Value, limits.Processes!.Value),
        Specification = JsonSerializer.Serialize(new JobSpecification(payload, command.Inputs, command.Outputs), WireJson.Requests),
        CheckpointPath = command.Checkpoint?.Path, TaskCount = command.Array!.Count, MaxConcurrent = command.Array.MaxConcurrent, Priority = command.Priority, Retries = command.Retries, Deterministic = command.Deterministic,
        Deadline = command.Deadline, MaxPriceMicro = command.MaxPrice is { } price ? (long)(price * Pricing.MicroPerCredit) : null,
        DependsOn = [.. command.DependsOn.Select(id => new JobId(id))], PrivacyLevel = command.PrivacyLevel.ToString().ToLowerInvariant(),
    };

    private static Isolation DefaultIsolation(string kind) => kind switch
    {
        PayloadKinds.Command => Isolation.Sandbox,
        PayloadKinds.Wasm => Isolation.Wasm,
        _ => Isolation.Process,
    };
}
