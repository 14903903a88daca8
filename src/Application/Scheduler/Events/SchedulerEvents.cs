using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler.Events;

/// <summary>Tasks whose results were accepted in this transaction; each is settled in it.</summary>
public sealed record TasksAccepted(IReadOnlyList<AcceptedTask> Tasks, DateTimeOffset At) : IDomainEvent
{
    /// <summary>Owners whom an event that follows in this transaction blames: what it moves of theirs is locked together with the payments.</summary>
    public IReadOnlyCollection<AccountId> Blamed { get; init; } = [];
}

/// <param name="CostMicro">What the requester pays for this task, ≥ 1 micro-credit.</param>
/// <param name="Payees">The agreeing replicas; they share the pay equally.</param>
/// <param name="Metering">What the cost follows from; null where nothing was metered.</param>
public sealed record AcceptedTask(JobId Job, int TaskIndex, AccountId Requester, long CostMicro, IReadOnlyList<Payee> Payees, Metering? Metering = null);

/// <summary>Who ran an agreeing replica.</summary>
/// <param name="Score">The device's measured compute score at the acceptance; null: not measured.</param>
/// <param name="WallMs">Wall milliseconds of this attempt.</param>
public sealed record Payee(AccountId Owner, string DeviceId, AttemptId Attempt, double? Score = null, long? WallMs = null);

/// <summary>Verified results of tasks that were accepted in this transaction, which disagree with what was accepted. Raised after the payments.</summary>
public sealed record ResultsOutvoted(IReadOnlyList<BlamedAttempt> Attempts, DateTimeOffset At) : IDomainEvent;

/// <summary>Devices signed another receipt for an attempt than the one on record, under the same epoch and key.</summary>
public sealed record Equivocated(IReadOnlyList<BlamedAttempt> Attempts, DateTimeOffset At) : IDomainEvent;

/// <summary>An attempt that speaks against its device.</summary>
/// <param name="Requester">Who asked for the work, and so was harmed.</param>
/// <param name="Owner">The device's.</param>
/// <param name="Evidence">JSON text; null where the attempt's own record says it.</param>
public sealed record BlamedAttempt(AttemptId Attempt, JobId Job, int TaskIndex, string DeviceId, AccountId Owner, AccountId Requester, string? Evidence);

/// <summary>A job reached an end; what is left of its hold goes back to the requester.</summary>
public sealed record JobClosed(JobId Job, DateTimeOffset At) : IDomainEvent;

/// <summary>What attempts that ended in this transaction say about their devices.</summary>
public sealed record AttemptsEnded(IReadOnlyList<DeviceTally> Devices, DateTimeOffset At) : IDomainEvent;

/// <param name="Completed">Attempts whose result counted.</param>
/// <param name="Right">Results that agreed with another device's.</param>
/// <param name="Wrong">Results that were outvoted.</param>
public sealed record DeviceTally(string DeviceId, int Completed, long WallMs, int Right, int Wrong, int Losses, int Evictions);

/// <summary>Tasks that ended for good in this transaction, by job; raised after payments, so that the job rows are locked last.</summary>
public sealed record TasksEnded(IReadOnlyList<JobEnds> Jobs, DateTimeOffset At) : IDomainEvent;

/// <summary>Tasks of a job that ended in this transaction, what they cost and how long they ran.</summary>
/// <param name="RunMs">Sum over succeeded tasks of the mean wall milliseconds of their accepted attempts.</param>
public sealed record JobEnds(JobId Job, int Succeeded, int Failed, long ChargedMicro, long RunMs);
