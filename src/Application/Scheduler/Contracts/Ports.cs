using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Protocol;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>The scheduler's tables as entities, for the use cases that touch few rows.</summary>
public interface ISchedulerDb
{
    DbSet<Job> Jobs { get; }
    DbSet<JobTask> Tasks { get; }
    DbSet<Attempt> Attempts { get; }
    DbSet<JobDependency> Dependencies { get; }
}

/// <summary>One edge of a DAG: <see cref="JobId"/> starts after <see cref="DependsOn"/> has completed.</summary>
public sealed class JobDependency
{
    public JobId JobId { get; init; }
    public JobId DependsOn { get; init; }
}

/// <summary>
/// The queue where SQL semantics matter: row locks, set-based writes. Lock order everywhere: tasks by (job, index), then
/// devices by id, then the ledger, then jobs by id.
/// </summary>
public interface IJobQueue
{
    /// <summary>Writes jobs that were just submitted, and the first tasks of each: <see cref="Job.Materialised"/> of them. One statement for all jobs and one for all tasks.</summary>
    Task CreateAsync(IReadOnlyCollection<Job> jobs, DateTimeOffset now, CancellationToken cancel);

    /// <summary>
    /// Writes the next <see cref="Job.Chunk"/> tasks of one job that has tasks without a row and fewer than <paramref name="lowWater"/> open ones, and
    /// counts them in <see cref="Job.Materialised"/>. Returns how many, and whether another job is due.
    /// </summary>
    Task<(int Written, bool More)> WriteNextTasksAsync(int lowWater, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Whether any task has an open, eligible slot, of whatever job: without one <see cref="OpenJobsAsync"/> finds nothing. Cheap.</summary>
    Task<bool> AnyOpenAsync(DateTimeOffset now, CancellationToken cancel);

    /// <summary>
    /// Jobs with at least one open, eligible slot that no limit holds back, in the order of service (<see cref="ServiceOrder"/>): at most
    /// <paramref name="limit"/> after the first <paramref name="skip"/>. Of one account half a window, as long as others wait.
    /// </summary>
    Task<IReadOnlyList<OpenJob>> OpenJobsAsync(int skip, int limit, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Locks (skipping what others hold) open tasks of each job, at most as many as stand beside it, with their attempts.</summary>
    Task<IReadOnlyList<TaskExecution>> ClaimOpenAsync(IReadOnlyDictionary<Job, int> jobs, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Notes that these lines of the queue, each once, got a device, in this order: their waiting counts from now.</summary>
    Task MarkServedAsync(IReadOnlyList<(AccountId Account, int Priority)> lines, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Locks the tasks of these attempts, with all their attempts that count.</summary>
    Task<IReadOnlyList<TaskExecution>> LockByAttemptsAsync(IReadOnlyCollection<AttemptId> attempts, CancellationToken cancel);

    /// <summary>Locks the job's tasks that have a live attempt.</summary>
    Task<IReadOnlyList<TaskExecution>> LockLiveAsync(JobId job, CancellationToken cancel);

    /// <summary>Locks (skipping what others hold) tasks with a live attempt that expired, or whose device is lost or gone; at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<TaskExecution>> ClaimOverdueAsync(DateTimeOffset now, int limit, CancellationToken cancel);

    /// <summary>Locks (skipping what others hold) tasks with a live attempt whose notice has been over for the slack; at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<TaskExecution>> ClaimOverNoticeAsync(DateTimeOffset now, int limit, CancellationToken cancel);

    /// <summary>Those of <paramref name="deviceIds"/> that are lost or unregistered.</summary>
    Task<IReadOnlySet<string>> GoneDevicesAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Locks audited tasks whose only result has waited since before <paramref name="since"/> without a device coming for the audit.</summary>
    Task<IReadOnlyList<TaskExecution>> ClaimStalledAuditsAsync(DateTimeOffset since, int limit, CancellationToken cancel);

    /// <summary>
    /// Running arrays near their end (see <see cref="Straggler"/>) of which nothing waits for a device and some attempt was leased before <paramref name="leasedBefore"/>,
    /// with the median wall time of their last 1000 finished tasks; some of them when there are many.
    /// </summary>
    Task<IReadOnlyList<(Job Job, TimeSpan Median)>> NearlyDoneAsync(DateTimeOffset leasedBefore, CancellationToken cancel);

    /// <summary>Locks (skipping what others hold) tasks of these jobs without copy or open slot, with a live attempt leased before <paramref name="leasedBefore"/>.</summary>
    Task<IReadOnlyList<TaskExecution>> ClaimRunningAsync(IReadOnlyCollection<JobId> jobs, DateTimeOffset leasedBefore, int limit, CancellationToken cancel);

    /// <summary>Writes the changes of these tasks and attempts, set-based: at most three statements.</summary>
    Task SaveAsync(IReadOnlyCollection<TaskExecution> executions, CancellationToken cancel);

    /// <summary>Marks Admitted jobs Running.</summary>
    Task StartJobsAsync(IReadOnlyCollection<JobId> jobs, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Adds ended tasks to their jobs' counters; returns the jobs that have none left, locked and tracked.</summary>
    Task<IReadOnlyList<Job>> CountEndsAsync(IReadOnlyCollection<JobEnds> ends, CancellationToken cancel);

    /// <summary>Who pays for each of these jobs.</summary>
    Task<IReadOnlyDictionary<JobId, AccountId>> RequestersAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);

    /// <summary>Cancels every task (those without a row too) and live attempt of a job; returns the devices that must be told.</summary>
    Task<IReadOnlyList<string>> CancelTasksAsync(JobId job, string reason, DateTimeOffset now, CancellationToken cancel);

    /// <summary>The job row under its lock, tracked; null when there is none.</summary>
    Task<Job?> LockJobAsync(JobId job, CancellationToken cancel);

    /// <summary>Open jobs whose deadline, queue clock or longest life ran out.</summary>
    Task<IReadOnlyList<JobId>> OverdueJobsAsync(DateTimeOffset now, int limit, CancellationToken cancel);

    /// <summary>
    /// A job completed: counts down its dependents and makes the tasks of those with none left ready. Returns the dependents that became ready.
    /// </summary>
    Task<IReadOnlyList<JobId>> ReleaseDependentsAsync(JobId completed, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Open jobs that wait for this one.</summary>
    Task<IReadOnlyList<JobId>> OpenDependentsAsync(JobId job, CancellationToken cancel);
}

/// <summary>A job of the queue's window and its standing in it (without tasks).</summary>
public sealed record OpenJob(Job Job, WaitingJob Standing);

/// <summary>The device side of leases.</summary>
public interface ILeaseDesk
{
    /// <summary>Live leases of the device that it did not name, ready to send.</summary>
    Task<IReadOnlyList<LeaseMessage>> NewLeasesAsync(string deviceId, IReadOnlyCollection<Guid> held, DateTimeOffset now, CancellationToken cancel);

    /// <summary>
    /// Extends the device's held leases that have used a third of their life; returns the attempts among <paramref name="held"/> that are no longer live, with the
    /// reason, and those that will be taken back.
    /// </summary>
    Task<(IReadOnlyList<Revocation> Revoked, IReadOnlyList<Notice> Notices)> RenewAsync(string deviceId, IReadOnlyCollection<Guid> held, DateTimeOffset now, TimeSpan lease, CancellationToken cancel);
}

/// <summary>The pool as placement sees it: devices with what is leased on each, summed.</summary>
public interface IPlacementPool
{
    Task<IReadOnlyList<PlacementDevice>> DevicesAsync(DateTimeOffset now, CancellationToken cancel);

    /// <summary>Of these only the devices that take leases now, busy or not.</summary>
    Task<IReadOnlyList<PlacementDevice>> AvailableAsync(DateTimeOffset now, CancellationToken cancel);

    /// <summary>Whether any device takes leases and has a slot left. Cheap.</summary>
    Task<bool> HasRoomAsync(DateTimeOffset now, CancellationToken cancel);
}

/// <summary>Records of placement passes that searched a front.</summary>
public interface IPassLog
{
    Task WriteAsync(PlacementPassDetail pass, CancellationToken cancel);

    /// <summary>The pass, or the latest when <paramref name="id"/> is null; null when there is none.</summary>
    Task<PlacementPassDetail?> ReadAsync(Guid? id, CancellationToken cancel);

    /// <summary>Deletes at most <paramref name="atMost"/> passes from before the instant, oldest first; returns how many.</summary>
    Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel);
}

/// <summary>What the scheduler needs to know of devices.</summary>
public sealed record ReportingDevice(string Id, AccountId Owner, byte[]? PublicKey, int VerifiedStreak);
