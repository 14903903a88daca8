using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.Tokenomics.Parameters;

/// <summary>One attempt of a task that succeeded.</summary>
/// <param name="State">How it ended.</param>
/// <param name="Seconds">From its lease to its end: how long it kept a place.</param>
public sealed record RecordedAttempt(string Device, AttemptState State, DateTimeOffset LeasedAt, double Seconds);

/// <param name="CostMicro">What it was charged.</param>
/// <param name="WallMs">Mean metered run of the accepted attempts.</param>
/// <param name="Copied">Whether it got a copy because it ran long.</param>
public sealed record RecordedTask(int Index, long CostMicro, double WallMs, bool Audited, bool Copied, IReadOnlyList<RecordedAttempt> Attempts);

/// <summary>A job with its tasks that succeeded in the days looked at.</summary>
public sealed record RecordedJob
{
    public required JobId Id { get; init; }
    public required SlaTier Tier { get; init; }
    public required bool Deterministic { get; init; }
    public required bool Checkpointing { get; init; }
    public required Requirements Needs { get; init; }
    public required int Priority { get; init; }
    public required TimeSpan Estimate { get; init; }
    public required int WallSeconds { get; init; }

    /// <summary>Whether its price was that of a named quote.</summary>
    public required bool Quoted { get; init; }
    public required PriceTerms Price { get; init; }
    public required long HoldPerTaskMicro { get; init; }

    /// <summary>When it could start: its submit or, where it waited for other jobs, its first lease.</summary>
    public required DateTimeOffset ReadyAt { get; init; }

    /// <summary>Of the whole array.</summary>
    public required int TaskCount { get; init; }
    public required IReadOnlyList<RecordedTask> Tasks { get; init; }

    internal TierTerms Terms => TierTerms.Of(Tier).For(Deterministic, Checkpointing);
}

/// <param name="Device">Without leases, as if it were there.</param>
/// <param name="From">Its first lease in these days.</param>
/// <param name="VerifiedStreak">Right results in a row, as of now.</param>
public sealed record RecordedDevice(PlacementDevice Device, DateTimeOffset From, int VerifiedStreak);

/// <param name="TasksLeftOut">Tasks of these days beyond the latest that are looked at.</param>
public sealed record RecordedDays(DateTimeOffset From, DateTimeOffset To, IReadOnlyList<RecordedJob> Jobs, IReadOnlyList<RecordedDevice> Devices, int TasksLeftOut);

/// <summary>Micro-credits: charged = paid + fees + burned.</summary>
public readonly record struct RehearsedMoney(long Charged, long Paid, long Fees, long Burned);

/// <param name="HourBefore">Micro-credits for one core and one GiB for an hour.</param>
/// <param name="ChargedBefore">Micro-credits of the recorded tasks of the tier.</param>
public sealed record RehearsedTier(SlaTier Tier, int Tasks, decimal HourBefore, decimal HourAfter, long ChargedBefore, long ChargedAfter);

/// <summary>Micro-credits that a device earned.</summary>
public sealed record RehearsedDevice(string Device, long Before, long After);

/// <summary>How recorded work would have waited. Seconds.</summary>
/// <param name="Tasks">That were replayed.</param>
public sealed record RehearsedWaiting(int Tasks, WaitFigures Before, WaitFigures After);

/// <param name="MeanWait">From a task's readiness to its first start.</param>
/// <param name="MeanFinish">From a job's readiness to the end of its last replayed task.</param>
/// <param name="Notices">Runs that gave way to others.</param>
/// <param name="Copies">Copies of slow runs.</param>
/// <param name="Audits">Runs that checked another.</param>
public sealed record WaitFigures(double MeanWait, double P95Wait, double MeanFinish, double P95Finish, int Notices, int Copies, int Audits);

/// <summary>What recorded days would have come to.</summary>
/// <param name="RecordedMicro">What was really charged; differs from before where parameters changed within the days.</param>
/// <param name="Devices">Those that earned, most first.</param>
/// <param name="NoWaiting">Why there are no waiting times; null: there are.</param>
public sealed record RehearsalOutcome(
    int Jobs, int Tasks, long RecordedMicro, RehearsedMoney Before, RehearsedMoney After, IReadOnlyList<RehearsedTier> Tiers, IReadOnlyList<RehearsedDevice> Devices,
    RehearsedWaiting? Waiting, string? NoWaiting, IReadOnlyList<string> Assumptions);

/// <summary>
/// Replays recorded scheduling and settlement under the values in force and under the same with one of them changed; both the same way, so that what differs
/// comes from the change alone. Deterministic. Money: O(tasks). Waiting: see <see cref="RehearsedQueue"/>.
/// </summary>
public static class Rehearsal
{
    public static RehearsalOutcome Of(RecordedDays days, ParameterValues current, ParameterDefinition parameter, long value)
    {
        var proposed = new ParameterValues(current.Version, new Dictionary<string, long>(current.Changed, StringComparer.Ordinal) { [parameter.Name] = value });
        var audits = new RehearsedAudits(days, current, proposed);
        var (before, after) = (new Books(current), new Books(proposed));
        foreach (var job in days.Jobs)
        foreach (var task in job.Tasks)
        {
            before.Settle(job, task, RehearsedAudits.PayeesBefore(task));
            after.Settle(job, task, audits.PayeesAfter(job, task));
        }
        var tiers = Enum.GetValues<SlaTier>().Select(tier => new RehearsedTier(tier, days.Jobs.Where(j => j.Tier == tier).Sum(j => j.Tasks.Count),
            Hour(current, tier), Hour(proposed, tier), before.ByTier.GetValueOrDefault(tier), after.ByTier.GetValueOrDefault(tier)));
        var devices = before.ByDevice.Keys.Union(after.ByDevice.Keys, StringComparer.Ordinal)
            .Select(d => new RehearsedDevice(d, before.ByDevice.GetValueOrDefault(d), after.ByDevice.GetValueOrDefault(d)))
            .OrderByDescending(d => Math.Max(d.Before, d.After)).ThenBy(d => d.Device, StringComparer.Ordinal);

        var noWaiting = WhyNoWaiting(parameter);
        var waiting = noWaiting is null ? RehearsedQueue.Compare(days, current, proposed, audits) : null;
        return new RehearsalOutcome(
            days.Jobs.Count, days.Jobs.Sum(j => j.Tasks.Count), days.Jobs.Sum(j => j.Tasks.Sum(t => t.CostMicro)), before.Money, after.Money, [.. tiers], [.. devices],
            waiting, noWaiting, [.. Assumptions(parameter, days)]);
    }

    private static decimal Hour(ParameterValues values, SlaTier tier) => Pricing.PerHour(1000, 1L << 30, values.PriceOf(tier));

    private static bool IsAudit(ParameterDefinition parameter) => parameter.Name.StartsWith("audits.", StringComparison.Ordinal);

    private static string? WhyNoWaiting(ParameterDefinition parameter) => parameter.Name.Split('.')[0] switch
    {
        "features" or "audits" => null,
        "pricing" or "tiers" or "settlement" => "Who is served first, and where, follows from priority, time and need, not from what is charged or paid; how requesters and owners would answer another price is not on record.",
        _ => "This parameter governs stakes or votes; nothing that was scheduled or settled follows from it.",
    };

    private static IEnumerable<string> Assumptions(ParameterDefinition parameter, RecordedDays days)
    {
        yield return "The same jobs are submitted at the same moments, whatever they cost; max_price and balances refuse none of them.";
        if (days.TasksLeftOut > 0)
            yield return $"Only the latest tasks are replayed; {days.TasksLeftOut} earlier ones of these days are left out.";
        if (IsAudit(parameter))
            yield return "Which other results would be audited, and by whom, is drawn by a fixed hash; a device's streak of right results is that of today.";
        if (WhyNoWaiting(parameter) is not null)
            yield break;
        yield return $"Waiting is that of the latest {RehearsedQueue.MostTasks} tasks at most, which succeeded, on the devices that were there, each from its first lease on and then all the time; runs take as long as recorded. Who waits is served by priority, then by submit; nobody is raised for having waited.";
        yield return "What was lost, evicted or failed before a task succeeded keeps a place for as long as it did; a run that was cut short because a copy was faster is taken to end then, so switching copies off looks better than it would be.";
    }

    /// <summary>The settlements of one variant.</summary>
    private sealed class Books(ParameterValues values)
    {
        private readonly SettlementShares _shares = values.Shares();

        public RehearsedMoney Money { get; private set; }
        public Dictionary<SlaTier, long> ByTier { get; } = [];
        public Dictionary<string, long> ByDevice { get; } = new(StringComparer.Ordinal);

        public void Settle(RecordedJob job, RecordedTask task, IReadOnlyList<string> payees)
        {
            var charge = Math.Min(HoldOf(job), Pricing.Task(job.Needs.CpuMillicores, job.Needs.MemoryBytes, PriceOf(job), TimeSpan.FromMilliseconds(task.WallMs)));
            var split = PaySplit.Of(charge, payees.Count, _shares);
            Money = new RehearsedMoney(Money.Charged + charge, Money.Paid + (split.Share * payees.Count), Money.Fees + split.Fee, Money.Burned + split.Burned);
            ByTier[job.Tier] = ByTier.GetValueOrDefault(job.Tier) + charge;
            foreach (var device in payees)
                ByDevice[device] = ByDevice.GetValueOrDefault(device) + split.Share;
        }

        private PriceTerms PriceOf(RecordedJob job) => values.PriceOf(job.Tier);

        /// <summary>A job under a named quote would have been quoted the same run at the other price.</summary>
        private long HoldOf(RecordedJob job)
        {
            var price = PriceOf(job);
            if (price with { FormulaVersion = 0 } == job.Price with { FormulaVersion = 0 })
                return job.HoldPerTaskMicro;
            var (cores, memory) = (job.Needs.CpuMillicores, job.Needs.MemoryBytes);
            return job.Quoted
                ? Math.Max(1, (long)Math.Ceiling(job.HoldPerTaskMicro * (Pricing.PerHour(cores, memory, price) / Pricing.PerHour(cores, memory, job.Price))))
                : price.Hold(Pricing.Task(cores, memory, price, price.QuotedRun(job.Estimate, job.WallSeconds)));
        }
    }
}

/// <summary>
/// Which results are audited in the two variants. Before: as recorded. After: recorded audits are thinned, or others added, by a fixed draw per task, in
/// the proportion of the two rates.
/// </summary>
internal sealed class RehearsedAudits(RecordedDays days, ParameterValues current, ParameterValues proposed)
{
    private readonly Dictionary<string, int> _streaks = days.Devices.ToDictionary(d => d.Device.Id, d => d.VerifiedStreak, StringComparer.Ordinal);
    private readonly string[] _devices = [.. days.Devices.Select(d => d.Device.Id).Order(StringComparer.Ordinal)];

    public static IReadOnlyList<string> PayeesBefore(RecordedTask task) => [.. task.Attempts.Where(a => a.State == AttemptState.Accepted).Select(a => a.Device)];

    public IReadOnlyList<string> PayeesAfter(RecordedJob job, RecordedTask task)
    {
        var payees = PayeesBefore(task);
        var audited = IsAuditedAfter(job, task);
        if (audited == task.Audited || payees.Count == 0)
            return payees;
        if (!audited)
            return [payees[0]];
        var others = _devices.Where(d => !payees.Contains(d, StringComparer.Ordinal)).ToArray();
        return others.Length == 0 ? payees : [.. payees, others[(int)(Draw(job, task, 1) * others.Length)]];
    }

    public bool IsAuditedAfter(RecordedJob job, RecordedTask task)
    {
        var terms = job.Terms;
        if (!terms.Audited || task.Attempts.FirstOrDefault(a => a.State == AttemptState.Accepted) is not { } first)
            return task.Audited;
        var streak = _streaks.GetValueOrDefault(first.Device);
        var (was, would) = (current.AuditsOf(terms).Rate(streak), proposed.AuditsOf(terms).Rate(streak));
        var draw = Draw(job, task, 0);
        return task.Audited ? was <= 0 || draw < would / was : would > was && draw < (would - was) / (1 - was);
    }

    /// <summary>0–1, always the same for a task (SplitMix64 of its job's id and index).</summary>
    private static double Draw(RecordedJob job, RecordedTask task, uint salt)
    {
        var bytes = job.Id.Value.ToByteArray();
        var z = BitConverter.ToUInt64(bytes, 0) ^ (BitConverter.ToUInt64(bytes, 8) * 0x9E3779B97F4A7C15) ^ (((ulong)task.Index << 8) + salt + 1) * 0xD1B54A32D192ED03;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) / (double)(1UL << 53);
    }
}
