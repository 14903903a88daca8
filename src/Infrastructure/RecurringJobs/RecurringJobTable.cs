using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Artifacts;
using FogCompute.Application.Audit;
using FogCompute.Application.Benchmarks;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.Operations;
using FogCompute.Application.Platform;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Staking;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>What wakes a row, and who keeps it to one process at a time.</summary>
public enum RecurringKind
{
    /// <summary>Drains a queue: runs at a signal within milliseconds, else every second or so. The process that leads it (<see cref="JobLeadership"/>) runs it.</summary>
    Pump,
    /// <summary>Runs every few seconds to hours, each time on whichever process is free: kept by Quartz, in the database.</summary>
    Schedule,
}

/// <summary>One row: an input-less command that runs at least every <see cref="Period"/> and, when it has a topic, as soon as that is signalled.</summary>
public sealed class RecurringJob
{
    /// <summary>Quartz fires some hundred jobs a second at best, with a few writes each: what runs more often is a pump.</summary>
    private static readonly TimeSpan ShortestSchedule = TimeSpan.FromSeconds(1);

    private RecurringJob(string name, RecurringKind kind, TimeSpan period, string why, string? topic, Func<IDispatcher, CancellationToken, Task<bool>> run)
    {
        if (period <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(period), period, $"The period of the recurring job '{name}' must be positive.");
        if (kind == RecurringKind.Schedule && period < ShortestSchedule)
            throw new ArgumentOutOfRangeException(nameof(period), period, $"The recurring job '{name}' runs too often for a schedule; make it a pump.");
        Name = name;
        Kind = kind;
        Period = period;
        Why = why;
        Topic = topic;
        RunAsync = run;
        LockId = BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }

    /// <summary>Unique; primary key of platform.recurring_jobs.</summary>
    public string Name { get; }

    public RecurringKind Kind { get; }

    /// <summary>Longest time from the end of one run to the start of the next.</summary>
    public TimeSpan Period { get; }

    /// <summary>One sentence for operators.</summary>
    public string Why { get; }

    /// <summary>Signal that starts a run before the period is over; null: none.</summary>
    public string? Topic { get; }

    /// <summary>Sends the command; true when it says there is more to do.</summary>
    internal Func<IDispatcher, CancellationToken, Task<bool>> RunAsync { get; }

    /// <summary>Second half of the advisory lock that keeps the row to one process.</summary>
    internal int LockId { get; }

    /// <summary>A row for a queue that must not wait. A result that implements <see cref="IRecurringOutcome"/> may ask for another run at once.</summary>
    public static RecurringJob Pump<TResult>(string name, TimeSpan period, Func<ICommand<TResult>> command, string why, string? topic = null) =>
        new(name, RecurringKind.Pump, period, why, topic, Sending(command));

    /// <summary>A row for everything else, one second or more apart.</summary>
    public static RecurringJob Schedule<TResult>(string name, TimeSpan period, Func<ICommand<TResult>> command, string why) =>
        new(name, RecurringKind.Schedule, period, why, topic: null, Sending(command));

    private static Func<IDispatcher, CancellationToken, Task<bool>> Sending<TResult>(Func<ICommand<TResult>> command) =>
        async (dispatcher, cancel) => await dispatcher.SendAsync(command(), cancel) is IRecurringOutcome { MoreToDo: true };
}

/// <summary>Everything that the control plane does without being asked. Commands here are idempotent: a lost lease may run one twice.</summary>
public static class RecurringJobTable
{
    public static readonly IReadOnlyList<RecurringJob> Rows =
    [
        RecurringJob.Pump("PlacePendingJobs", TimeSpan.FromSeconds(1), () => new PlacePendingJobsCommand(), "Gives waiting tasks to devices that can take them.", Topics.Place),
        RecurringJob.Pump("WriteNextTasks", TimeSpan.FromSeconds(1), () => new WriteNextTasksCommand(), "Long arrays get their next rows when few open ones are left.", Topics.WriteTasks),
        RecurringJob.Pump("PreemptForPriority", TimeSpan.FromSeconds(1), () => new PreemptForPriorityCommand(), "Running work gives way to waiting work of much higher priority."),
        RecurringJob.Pump("ExpireLeases", TimeSpan.FromSeconds(1), () => new ExpireLeasesCommand(), "Declares silent devices lost and requeues what they held."),
        RecurringJob.Pump("ExpireJobs", TimeSpan.FromSeconds(1), () => new ExpireJobsCommand(), "Ends jobs whose deadline or queue clock ran out."),
        RecurringJob.Schedule("WaiveStalledAudits", TimeSpan.FromSeconds(5), () => new WaiveStalledAuditsCommand(), "Results that no device came to audit stand as they are."),
        RecurringJob.Schedule("SpeculateOnStragglers", TimeSpan.FromSeconds(3), () => new SpeculateOnStragglersCommand(), "The last tasks of an array that run long get a copy elsewhere."),
        RecurringJob.Schedule("RecordPresence", TimeSpan.FromMinutes(1), () => new RecordPresenceCommand(), "Learns at which hours of the week each device is there."),
        RecurringJob.Schedule("ForgetPasses", TimeSpan.FromHours(1), () => new ForgetPassesCommand(), "Placement fronts are kept for seven days."),
        RecurringJob.Schedule("ForgetQuotes", TimeSpan.FromMinutes(10), () => new ForgetQuotesCommand(), "Quotes are good for a minute and told of for a day; the table must not grow for ever."),
        RecurringJob.Pump("SealEvents", TimeSpan.FromSeconds(2), () => new SealEventsCommand(), "Numbers what happened to jobs and devices, for those who follow it."),
        RecurringJob.Schedule("ForgetEvents", TimeSpan.FromMinutes(10), () => new ForgetEventsCommand(), "Events are kept for a day, a million of them at most."),
        RecurringJob.Pump("SealJournal", TimeSpan.FromSeconds(1), () => new SealJournalCommand(), "Chains new ledger transfers by hash, so that later changes show."),
        RecurringJob.Pump("SealAuditLog", TimeSpan.FromSeconds(1), () => new SealAuditLogCommand(), "Chains new audit entries by hash, so that later changes show."),
        RecurringJob.Schedule("ReconcileLedger", TimeSpan.FromMinutes(1), () => new ReconcileLedgerCommand(), "Re-derives every balance and hold and raises an alarm on a difference."),
        RecurringJob.Schedule("PayStakingRewards", TimeSpan.FromMinutes(10), () => new PayStakingRewardsCommand(), "Pays each stake once a day what it has earned, while the rewards pool lasts."),
        RecurringJob.Schedule("ExecuteSlashes", TimeSpan.FromSeconds(15), () => new ExecuteSlashesCommand(), "Slashes that nobody appealed in time go to whom was harmed, and out of circulation."),
        RecurringJob.Pump("AdvanceProposals", TimeSpan.FromSeconds(1), () => new AdvanceProposalsCommand(), "Takes the snapshots of proposals, closes their votes, executes what was carried."),
        RecurringJob.Schedule("CheckpointLedger", TimeSpan.FromMinutes(1), () => new CheckpointLedgerCommand(), "Once a day the ledger's state is signed, so that a rewritten history shows elsewhere too."),
        RecurringJob.Schedule("TidyBenchmarks", TimeSpan.FromSeconds(10), () => new TidyBenchmarksCommand(), "A benchmark whose process ended must not keep others from starting; old ones are forgotten."),
        RecurringJob.Schedule("DeleteStaleUploads", TimeSpan.FromHours(1), () => new DeleteStaleUploadsCommand(), "Uploads that nobody continued for 24 h give their disk space back."),
        RecurringJob.Pump("SendPasswordResets", TimeSpan.FromSeconds(15), () => new SendPasswordResetsCommand(), "Mails links for a new password to those who asked.", Topics.PasswordResets),
        RecurringJob.Schedule("ForgetLogins", TimeSpan.FromHours(1), () => new ForgetLoginsCommand(), "Tokens, sessions and counted failures that have run out would pile up."),
        RecurringJob.Schedule("ForgetIdempotencyKeys", TimeSpan.FromMinutes(10), () => new ForgetIdempotencyKeysCommand(), "Callers were promised 24 h; the table must not grow for ever."),
        RecurringJob.Schedule("ForgetRuns", TimeSpan.FromMinutes(1), () => new ForgetRunsCommand(), "The history of these jobs stays bounded; runs of servers that died are closed."),
    ];
}
