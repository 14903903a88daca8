using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Artifacts;
using FogCompute.Application.Audit;
using FogCompute.Application.Benchmarks;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.Platform;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Staking;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>One row: an input-less command that runs at least every <see cref="Period"/> and, when it has a topic, as soon as that is signalled.</summary>
public sealed class RecurringJob
{
    private RecurringJob(string name, TimeSpan period, string why, string? topic, Func<IDispatcher, CancellationToken, Task<bool>> run)
    {
        if (period <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(period), period, $"The period of the recurring job '{name}' must be positive.");
        Name = name;
        Period = period;
        Why = why;
        Topic = topic;
        RunAsync = run;
        LockId = BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }

    /// <summary>Unique; primary key of platform.recurring_jobs.</summary>
    public string Name { get; }

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

    /// <summary>A row. A result that implements <see cref="IRecurringOutcome"/> may ask for another run at once.</summary>
    public static RecurringJob Of<TResult>(string name, TimeSpan period, Func<ICommand<TResult>> command, string why, string? topic = null) =>
        new(name, period, why, topic, async (dispatcher, cancel) => await dispatcher.SendAsync(command(), cancel) is IRecurringOutcome { MoreToDo: true });
}

/// <summary>Everything that the control plane does without being asked. Commands here are idempotent: a lost lease may run one twice.</summary>
public static class RecurringJobTable
{
    public static readonly IReadOnlyList<RecurringJob> Rows =
    [
        RecurringJob.Of("PlacePendingJobs", TimeSpan.FromSeconds(1), () => new PlacePendingJobsCommand(), "Gives waiting tasks to devices that can take them.", Topics.Place),
        RecurringJob.Of("WriteNextTasks", TimeSpan.FromSeconds(1), () => new WriteNextTasksCommand(), "Long arrays get their next rows when few open ones are left.", Topics.WriteTasks),
        RecurringJob.Of("PreemptForPriority", TimeSpan.FromSeconds(1), () => new PreemptForPriorityCommand(), "Running work gives way to waiting work of much higher priority."),
        RecurringJob.Of("ExpireLeases", TimeSpan.FromSeconds(1), () => new ExpireLeasesCommand(), "Declares silent devices lost and requeues what they held."),
        RecurringJob.Of("ExpireJobs", TimeSpan.FromSeconds(1), () => new ExpireJobsCommand(), "Ends jobs whose deadline or queue clock ran out."),
        RecurringJob.Of("WaiveStalledAudits", TimeSpan.FromSeconds(5), () => new WaiveStalledAuditsCommand(), "Results that no device came to audit stand as they are."),
        RecurringJob.Of("SpeculateOnStragglers", TimeSpan.FromSeconds(3), () => new SpeculateOnStragglersCommand(), "The last tasks of an array that run long get a copy elsewhere."),
        RecurringJob.Of("RecordPresence", TimeSpan.FromMinutes(1), () => new RecordPresenceCommand(), "Learns at which hours of the week each device is there."),
        RecurringJob.Of("ForgetPasses", TimeSpan.FromHours(1), () => new ForgetPassesCommand(), "Placement fronts are kept for seven days."),
        RecurringJob.Of("ForgetQuotes", TimeSpan.FromMinutes(10), () => new ForgetQuotesCommand(), "Quotes are good for a minute and told of for a day; the table must not grow for ever."),
        RecurringJob.Of("SealJournal", TimeSpan.FromSeconds(1), () => new SealJournalCommand(), "Chains new ledger transfers by hash, so that later changes show."),
        RecurringJob.Of("SealAuditLog", TimeSpan.FromSeconds(1), () => new SealAuditLogCommand(), "Chains new audit entries by hash, so that later changes show."),
        RecurringJob.Of("ReconcileLedger", TimeSpan.FromMinutes(1), () => new ReconcileLedgerCommand(), "Re-derives every balance and hold and raises an alarm on a difference."),
        RecurringJob.Of("PayStakingRewards", TimeSpan.FromMinutes(10), () => new PayStakingRewardsCommand(), "Pays each stake once a day what it has earned, while the rewards pool lasts."),
        RecurringJob.Of("ExecuteSlashes", TimeSpan.FromSeconds(15), () => new ExecuteSlashesCommand(), "Slashes that nobody appealed in time go to whom was harmed, and out of circulation."),
        RecurringJob.Of("AdvanceProposals", TimeSpan.FromSeconds(1), () => new AdvanceProposalsCommand(), "Takes the snapshots of proposals, closes their votes, executes what was carried."),
        RecurringJob.Of("CheckpointLedger", TimeSpan.FromMinutes(1), () => new CheckpointLedgerCommand(), "Once a day the ledger's state is signed, so that a rewritten history shows elsewhere too."),
        RecurringJob.Of("TidyBenchmarks", TimeSpan.FromSeconds(10), () => new TidyBenchmarksCommand(), "A benchmark whose process ended must not keep others from starting; old ones are forgotten."),
        RecurringJob.Of("DeleteStaleUploads", TimeSpan.FromHours(1), () => new DeleteStaleUploadsCommand(), "Uploads that nobody continued for 24 h give their disk space back."),
        RecurringJob.Of("ForgetIdempotencyKeys", TimeSpan.FromMinutes(10), () => new ForgetIdempotencyKeysCommand(), "Callers were promised 24 h; the table must not grow for ever."),
    ];
}
