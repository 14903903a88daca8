using System.Linq.Expressions;
using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Protocol;

namespace FogCompute.Application.Scheduler;

// POST /api/scheduler/jobs
// Validates, quotes, holds the funds and queues the job in one transaction. Nothing is placed yet. Repeatable under an Idempotency-Key.

[RequiresPermission(Permissions.JobsWrite)]
public sealed record SubmitJobCommand : IGroupedCommand<SubmitJobResult>, IIdempotentCommand
{
    /// <summary>1–200 characters.</summary>
    public required string Name { get; init; }
    public SlaTier SlaTier { get; init; } = SlaTier.Bronze;

    /// <summary>Cores per task, 0.01–1024.</summary>
    public double CpuRequired { get; init; } = 1;

    /// <summary>MiB per task, 1–16 777 216.</summary>
    public double MemoryRequired { get; init; } = 512;

    /// <summary>GPUs per task, 0–64.</summary>
    public double GpuRequired { get; init; }

    /// <summary>Expected minutes per task, 0.001–10 080. Default 10.</summary>
    public double DurationEstimate { get; init; } = 10;

    /// <summary>Size of the input data, MiB, 0–16 777 216; added to the disk the device must have free.</summary>
    public double DataSizeMb { get; init; }

    /// <summary>What to run; without one the job runs <c>device-benchmark</c> on what it asked for.</summary>
    public PayloadSpec? Payload { get; init; }
    /// <summary>At most 1024, each at a path of its own.</summary>
    public IReadOnlyList<InputSpec> Inputs { get; init; } = [];

    /// <summary>Globs relative to the work folder, at most 64.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>For command and wasm payloads that keep their state: exit code 85 starts the task again with this folder as it was left.</summary>
    public CheckpointSpec? Checkpoint { get; init; }
    public ArraySpec? Array { get; init; }
    /// <summary>Jobs of the same account that must complete first, at most 256.</summary>
    public IReadOnlyList<Guid> DependsOn { get; init; } = [];
    public LimitsSpec? Limits { get; init; }

    /// <summary>Weakest isolation accepted; default by payload: builtin process, command sandbox, wasm wasm.</summary>
    public Isolation? Isolation { get; init; }
    public NetworkNeed Network { get; init; } = NetworkNeed.None;
    /// <summary>When the job expires; in the future, with offset.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>0–100, higher first.</summary>
    public int Priority { get; init; } = 50;

    /// <summary>Failures of the payload tolerated per task, 0–20.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>Highest quote accepted, credits, 0.000001–1 000 000.</summary>
    public decimal? MaxPrice { get; init; }

    /// <summary>Whether equal inputs give equal outputs; false: one replica whatever the tier, and the job says so.</summary>
    public bool Deterministic { get; init; } = true;
    public ConstraintsSpec? Constraints { get; init; }

    /// <summary>public, private, confidential or secret.</summary>
    public PrivacyLevel PrivacyLevel { get; init; } = PrivacyLevel.Public;

    /// <summary>A quote of this very request: the job costs at most the price of the plan. Not part of what is quoted.</summary>
    public Guid? QuoteId { get; init; }

    /// <summary>The trade-off that placement makes: knee, fast, cheap, safe or green. Default with a quote knee, without by tier. Not part of what is quoted.</summary>
    public PlanKind? Plan { get; init; }

    [JsonIgnore]
    public string? IdempotencyKey { get; init; }

    /// <summary>Its first tasks. What locks rows of its own by name, dependencies and quotes, runs alone, so that no two groups lock such rows in different orders.</summary>
    int IGroupedCommand<SubmitJobResult>.Weight => DependsOn.Count > 0 || QuoteId is not null ? GroupItem.MostWeight : Math.Min(Array?.Count ?? 1, Job.Chunk);
}

public sealed record ArraySpec
{
    /// <summary>Tasks, 1–1 000 000; each sees its index as FOG_TASK_INDEX.</summary>
    public required int Count { get; init; }

    /// <summary>Most tasks running at once, 1–1 000 000; without it as many as there are devices for.</summary>
    public int? MaxConcurrent { get; init; }
}

public sealed record ConstraintsSpec
{
    /// <summary>Labels a device must all carry; at most 32 of 1–64 characters.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Regions accepted; at most 32 of 1–64 characters.</summary>
    public IReadOnlyList<string> Regions { get; init; } = [];

    /// <summary>Device ids never to use, at most 256.</summary>
    public IReadOnlyList<string> ExcludeDevices { get; init; } = [];
}

public enum PrivacyLevel { Public, Private, Confidential, Secret }

public sealed record SubmitJobResult
{
    public bool Success { get; init; } = true;
    public required Guid JobId { get; init; }
    public required string Status { get; init; }

    /// <summary>Now when a device is free for it, null when none could take it as things are.</summary>
    public DateTimeOffset? EstimatedStartTime { get; init; }
    public required string Sla { get; init; }

    /// <summary>Credits for the whole job.</summary>
    public required decimal Quote { get; init; }

    /// <summary>Credits set aside until the job ends.</summary>
    public required decimal Held { get; init; }

    /// <summary>The trade-off that placement makes.</summary>
    public required string Plan { get; init; }

    /// <summary>When the job has ended with 95 % probability, as its quote said; null without one.</summary>
    public DateTimeOffset? QuotedP95At { get; init; }

    /// <summary>What differs from what the tier usually gives, in words.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

internal sealed class SubmitJobValidator : AbstractValidator<SubmitJobCommand>
{
    /// <summary>Where the key comes from, and so the name under which it is refused.</summary>
    private const string IdempotencyKeyHeader = "Idempotency-Key";

    public SubmitJobValidator()
    {
        RuleFor(c => c.Name).OneLine(200);
        RuleFor(c => c.SlaTier).IsInEnum();
        RuleFor(c => c.CpuRequired).InclusiveBetween(0.01, 1024);
        RuleFor(c => c.MemoryRequired).InclusiveBetween(1, 16_777_216);
        RuleFor(c => c.GpuRequired).InclusiveBetween(0, 64);
        RuleFor(c => c.DurationEstimate).InclusiveBetween(0.001, 10_080);
        RuleFor(c => c.DataSizeMb).InclusiveBetween(0, 16_777_216);
        RuleFor(c => c.Priority).InclusiveBetween(0, 100);
        RuleFor(c => c.Retries).InclusiveBetween(0, 20);
        RuleFor(c => c.MaxPrice).InclusiveBetween(0.000001m, 1_000_000m);
        RuleFor(c => c.Isolation).IsInEnum();
        RuleFor(c => c.Network).IsInEnum();
        RuleFor(c => c.PrivacyLevel).IsInEnum();
        RuleFor(c => c.Plan).IsInEnum();
        RuleFor(c => c.PrivacyLevel).Equal(PrivacyLevel.Public).When(c => Enum.IsDefined(c.PrivacyLevel))
            .WithMessage("must be 'public': this pool has no onion circuits or mixnodes, and work is never sent on a weaker path than asked.");
        RuleFor(c => c.IdempotencyKey).Length(1, 255).WithName(IdempotencyKeyHeader).OverridePropertyName(IdempotencyKeyHeader);
        RuleFor(c => c.DependsOn).Must(d => d.Count <= 256).WithMessage("at most 256 jobs.").NoneTwice();
        RuleFor(c => c.Inputs).Must(i => i.Count <= 1024).WithMessage("at most 1024 inputs.")
            .Must(i => i.Select(x => x.Path).Distinct(StringComparer.Ordinal).Count() == i.Count).WithMessage("two inputs have the same path.");
        RuleForEach(c => c.Inputs).SetValidator(new InputValidator());
        RuleFor(c => c.Outputs).Must(o => o.Count <= 64).WithMessage("at most 64 patterns.").NoneTwice();
        RuleForEach(c => c.Outputs).Must(BeRelativePath).WithMessage("must be a relative pattern of at most 512 characters without '..', '\\' or empty parts.");
        // Each null when it is not given.
        RuleFor(c => c.Array!).SetValidator(new ArrayValidator());
        RuleFor(c => c.Limits!).SetValidator(new LimitsValidator());
        RuleFor(c => c.Constraints!).SetValidator(new ConstraintsValidator());
        RuleFor(c => c.Payload!).SetValidator(new PayloadValidator());
        RuleFor(c => c.Checkpoint!).SetValidator(new CheckpointValidator());
        RuleFor(c => c.Checkpoint).Null().When(c => c.Payload?.Kind is not (PayloadKinds.Command or PayloadKinds.Wasm))
            .WithMessage("means something to a 'command' or 'wasm' payload only.");
        RuleFor(c => c.Network).Equal(NetworkNeed.None).When(c => c.Payload?.Kind == PayloadKinds.Wasm).WithMessage("a wasm payload has no network; use 'none'.");
    }

    internal static bool BeSha256(string? text) => text is { Length: 64 } && text.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f'));

    internal static bool BeRelativePath(string? path) =>
        path is { Length: >= 1 and <= 512 } && path[0] != '/' && !path.Contains('\\') && !path.Any(char.IsControl)
        && path.Split('/').All(part => part is not ("" or "." or ".."));
}

internal sealed class InputValidator : AbstractValidator<InputSpec>
{
    public InputValidator()
    {
        RuleFor(i => i.Path).Must(SubmitJobValidator.BeRelativePath).WithMessage("must be a relative path of at most 512 characters without '..', '\\' or empty parts.");
        RuleFor(i => i.Sha256).Must(SubmitJobValidator.BeSha256).WithMessage("must be 64 lower-case hex digits.");
    }
}

internal sealed class CheckpointValidator : AbstractValidator<CheckpointSpec>
{
    public CheckpointValidator() =>
        RuleFor(c => c.Path).Must(SubmitJobValidator.BeRelativePath).WithMessage("must be a relative path of at most 512 characters without '..', '\\' or empty parts.");
}

internal sealed class ArrayValidator : AbstractValidator<ArraySpec>
{
    public ArrayValidator()
    {
        RuleFor(a => a.Count).InclusiveBetween(1, 1_000_000);
        RuleFor(a => a.MaxConcurrent).InclusiveBetween(1, 1_000_000);
    }
}

internal sealed class LimitsValidator : AbstractValidator<LimitsSpec>
{
    public LimitsValidator()
    {
        RuleFor(l => l.QueueSeconds).InclusiveBetween(1, 31_536_000);
        RuleFor(l => l.StageInSeconds).InclusiveBetween(1, 86_400);
        RuleFor(l => l.WallSeconds).InclusiveBetween(1, 604_800);
        RuleFor(l => l.StageOutSeconds).InclusiveBetween(1, 86_400);
        RuleFor(l => l.MemoryBytes).InclusiveBetween(1L << 20, 1L << 44);
        RuleFor(l => l.DiskBytes).InclusiveBetween(0, 1L << 44);
        RuleFor(l => l.OutputBytes).InclusiveBetween(0, 1L << 40);
        RuleFor(l => l.Processes).InclusiveBetween(1, 4096);
    }
}

internal sealed class ConstraintsValidator : AbstractValidator<ConstraintsSpec>
{
    public ConstraintsValidator()
    {
        RuleFor(c => c.Labels).Words(32);
        RuleFor(c => c.Regions).Words(32);
        RuleFor(c => c.ExcludeDevices).Must(d => d.Count <= 256 && d.All(DeviceIds.IsValid)).WithMessage("at most 256 device ids: 1–255 characters of A-Z a-z 0-9 . _ : -").NoneTwice();
    }
}

internal sealed class PayloadValidator : AbstractValidator<PayloadSpec>
{
    public PayloadValidator()
    {
        Only(p => p.Kernel, PayloadKinds.Builtin);
        Only(p => p.Parameters, PayloadKinds.Builtin);
        Only(p => p.Argv, PayloadKinds.Command);
        Only(p => p.Module, PayloadKinds.Wasm);
        Only(p => p.Args, PayloadKinds.Wasm);
        Only(p => p.ReuseRunner, PayloadKinds.Wasm);
        Only(p => p.Image, PayloadKinds.Container);
        Only(p => p.Env, PayloadKinds.Command, PayloadKinds.Wasm, PayloadKinds.Container);
        Only(p => p.Stdin, PayloadKinds.Command, PayloadKinds.Wasm);
        RuleFor(p => p.Kind).Must(k => PayloadKinds.All.Contains(k, StringComparer.Ordinal)).WithMessage($"must be one of {string.Join(", ", PayloadKinds.All)}.");
        RuleFor(p => p.Kernel).Must(k => k is not null && BuiltinKernels.All.Contains(k, StringComparer.Ordinal)).When(p => p.Kind == PayloadKinds.Builtin)
            .WithMessage($"a builtin payload names a kernel: {string.Join(", ", BuiltinKernels.All)}.");
        RuleFor(p => p.Parameters).Must(v => v!.Count <= 32 && v.All(e => e.Key.Length is >= 1 and <= 64 && double.IsFinite(e.Value))).When(p => p.Parameters is not null)
            .WithMessage("at most 32 finite numbers with names of 1–64 characters.");
        RuleFor(p => p.Argv).Must(a => a is { Count: >= 1 and <= 256 } && a[0].Length > 0).When(p => p.Kind == PayloadKinds.Command)
            .WithMessage("a command payload needs argv, 1–256 texts: the program and its arguments.");
        RuleFor(p => p.Argv).Must(a => a is null || (a.Sum(x => x.Length) <= 131_072 && !a.Any(x => x.Contains('\0'))))
            .WithMessage("at most 131072 characters altogether, none of them NUL.");
        RuleFor(p => p.Module).Must(SubmitJobValidator.BeSha256).When(p => p.Kind == PayloadKinds.Wasm)
            .WithMessage("a wasm payload names its module by SHA-256 (64 lower-case hex digits); upload it with PUT /api/artifacts/{sha256}.");
        RuleFor(p => p.Args).Must(a => a is null || (a.Count <= 256 && a.Sum(x => x.Length) <= 131_072 && !a.Any(x => x.Contains('\0'))))
            .WithMessage("at most 256 arguments, 131072 characters altogether, none of them NUL.");
        RuleFor(p => p.Env).Must(e => e!.Count <= 128 && e.All(v => IsVariableName(v.Key) && v.Value.Length <= 32_768 && !v.Value.Contains('\0'))).When(p => p.Env is not null)
            .WithMessage("at most 128 variables; names are letters, digits and '_' (not beginning with a digit or FOG_), values at most 32768 characters without NUL.");
        RuleFor(p => p.Stdin).MaximumLength(262_144);
        RuleFor(p => p.Image).NotEmpty().MaximumLength(512).When(p => p.Kind == PayloadKinds.Container);
    }

    /// <summary>A member that means nothing to the kind would be ignored without a word; it is refused. What is absent is null or false.</summary>
    private void Only<T>(Expression<Func<PayloadSpec, T>> member, params string[] kinds) =>
        RuleFor(member).Must(value => value is null or false)
            .When(p => PayloadKinds.All.Contains(p.Kind, StringComparer.Ordinal) && !kinds.Contains(p.Kind, StringComparer.Ordinal))
            .WithMessage(p => $"means nothing to a '{p.Kind}' payload; it belongs to {string.Join(", ", kinds)}.");

    private static bool IsVariableName(string name) =>
        name.Length is >= 1 and <= 128 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
        && !name.StartsWith("FOG_", StringComparison.Ordinal);
}

internal sealed class SubmitJobHandler(
    ISchedulerDb db, IJobQueue queue, IArtifactCatalog artifacts, IPlacementPool pool, IQuotes quotes, IParameters parameters, IJobFunds funds, ITransactionScope transaction, TimeProvider time)
    : IGroupHandler<SubmitJobCommand, SubmitJobResult>
{
    public async Task HandleAsync(IReadOnlyList<GroupItem<SubmitJobCommand, SubmitJobResult>> items, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var admitted = new List<(GroupItem<SubmitJobCommand, SubmitJobResult> Item, Job Job)>(items.Count);
        foreach (var item in items)
        {
            try
            {
                admitted.Add((item, await AdmitAsync(item.Command, item.Caller, now, cancel)));
            }
            catch (FogException refusal) when (refusal.Error.Kind != ErrorKind.Unavailable)
            {
                item.Refuse(refusal);
            }
        }
        if (admitted.Count == 0)
            return;
        // Before anything is locked that other submits wait for.
        var starts = new StartEstimates(admitted.Exists(a => a.Job.DependenciesLeft == 0) ? await pool.AvailableAsync(now, cancel) : [], now);

        var refused = await funds.HoldAsync([.. admitted.Select(a => new AdmittedJob(a.Job.Id, a.Job.AccountId, a.Job.HoldMicro, now, a.Job.EndsBy))], cancel);
        var funded = admitted.Where(a => !refused.ContainsKey(a.Job.Id)).ToList();
        await queue.CreateAsync([.. funded.Select(a => a.Job)], now, cancel);
        foreach (var (item, job) in funded)
        {
            foreach (var dependency in item.Command.DependsOn)
                db.Dependencies.Add(new JobDependency { JobId = job.Id, DependsOn = new JobId(dependency) });
            if (job.QuoteId is { } quote)
                await quotes.UseAsync(quote, job.Id, cancel);
            item.Answer(ResultOf(job, starts.Of(job)));
        }
        foreach (var (item, job) in admitted.Where(a => refused.ContainsKey(a.Job.Id)))
            item.Refuse(refused[job.Id]);
        if (funded.Count > 0)
            transaction.SignalAfterCommit(Topics.Place);
    }

    /// <summary>May this be submitted as it is? Writes nothing.</summary>
    private async Task<Job> AdmitAsync(SubmitJobCommand command, Caller caller, DateTimeOffset now, CancellationToken cancel)
    {
        var draft = await new JobDrafts(db, queue, artifacts, caller).MakeAsync(command, DependencyLock.Held, cancel);
        var (quote, price) = command.QuoteId is { } id
            ? await AcceptAsync(id, command.Plan ?? PlanKind.Knee, draft, now, cancel)
            : (null, (await parameters.CurrentAsync(cancel)).PriceOf(command.SlaTier));
        return Job.Submit(draft.Request with { Plan = command.Plan ?? (quote is null ? null : PlanKind.Knee) }, draft.DependenciesLeft, now, price, quote);
    }

    private static SubmitJobResult ResultOf(Job job, DateTimeOffset? start) => new()
    {
        JobId = job.Id.Value, Status = JobWords.Status(job.State), Sla = JobWords.Tier(job.SlaTier), EstimatedStartTime = start,
        Quote = Pricing.Credits(job.QuoteMicro), Held = Pricing.Credits(job.HoldMicro), Plan = JobWords.Word(job.Plan), QuotedP95At = job.QuotedP95At, Notes = [.. Notes(job)],
    };

    /// <summary>What the named plan promised, if it is the caller's, unused, still good and for this very request.</summary>
    private async Task<(AcceptedQuote? Quote, PriceTerms Price)> AcceptAsync(Guid id, PlanKind kind, JobDraft draft, DateTimeOffset now, CancellationToken cancel)
    {
        // Under its lock: of two submits that name it the second sees the first's job.
        if (await quotes.LockAsync(id, cancel) is not { } quote || quote.Account != draft.Request.Account)
            throw SchedulerErrors.QuoteUnknown.On("quote_id");
        if (quote.Job is { } job)
            throw SchedulerErrors.QuoteUsed(job).On("quote_id");
        if (quote.ExpiresAt <= now)
            throw SchedulerErrors.QuoteExpired(quote.ExpiresAt).On("quote_id");
        var differing = draft.Fields.Keys.Union(quote.Request.Keys, StringComparer.Ordinal).Where(f => draft.Fields.GetValueOrDefault(f) != quote.Request.GetValueOrDefault(f)).Order(StringComparer.Ordinal).ToList();
        if (differing.Count > 0)
            throw new FogException(SchedulerErrors.QuoteDiffers(differing), differing.ToDictionary(f => f, _ => new[] { "Differs from what was quoted." }, StringComparer.Ordinal));
        var plan = quote.Content.Plans.FirstOrDefault(p => p.Names.Contains(kind)) ?? throw SchedulerErrors.QuoteWithoutPlan.On("quote_id");
        return (new AcceptedQuote(id, plan.PricePerTaskMicro, plan.P95Seconds), quote.Content.Price ?? ParameterValues.Defaults.PriceOf(draft.Request.Tier));
    }

    private static IEnumerable<string> Notes(Job job)
    {
        if (!job.Deterministic && job.SlaTier != SlaTier.Bronze)
            yield return "deterministic is false: results of different devices cannot be compared, so one replica runs and its result is taken as it is.";
        if (job.SlaTier == SlaTier.Platinum)
            yield return "platinum runs on attested devices only; the job waits until enough of them are there.";
        if (job.CheckpointPath is not null && !job.Terms.TakesCheckpoints)
            yield return $"checkpoint: of {job.Terms.Replicas} replicas none may go on from another's state, so exit code 85 starts a replica again from scratch. Bronze, and deterministic: false, keep checkpoints.";
        else if (job.CheckpointPath is not null && job.Deterministic)
            yield return "checkpoint: a run that went on from a checkpoint cannot be compared with a whole one, so results of this job are not audited.";
    }
}

/// <summary>What agents get, kept with the job as it was submitted.</summary>
public sealed record JobSpecification(PayloadSpec Payload, IReadOnlyList<InputSpec> Inputs, IReadOnlyList<string> Outputs);
