using FogCompute.Application.Common.Messaging;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Application.Scheduler;

/// <summary>
/// What follows when attempts end, whoever ended them (a report, an expiry, a waived audit): saves the tasks, counts ends on their jobs, pays,
/// tells devices, closes finished jobs. One instance per transaction.
/// </summary>
internal sealed class AttemptEnds(IJobQueue queue, IDeviceDirectory devices, ITransactionScope transaction)
{
    private readonly Dictionary<string, DeviceTally> _tallies = new(StringComparer.Ordinal);
    private readonly List<(JobTask Task, TaskOutcome.Accepted Outcome)> _accepted = [];
    private readonly Dictionary<JobId, JobEnds> _ends = [];
    private readonly List<Attempt> _outvoted = [];
    private readonly List<(Attempt Attempt, string Evidence)> _equivocated = [];

    /// <summary>Takes in what one change of a task led to.</summary>
    public void Add(TaskExecution execution, TaskOutcome outcome)
    {
        var task = execution.Task;
        switch (outcome)
        {
            case TaskOutcome.Accepted accepted:
                _accepted.Add((task, accepted));
                Count(task.JobId, succeeded: 1, charged: accepted.CostMicro, runMs: (long)accepted.Wall.TotalMilliseconds);
                foreach (var winner in accepted.Winners)
                    Tally(winner.DeviceId, t => t with { Completed = t.Completed + 1, WallMs = t.WallMs + winner.WallMs, Right = t.Right + (accepted.Verified ? 1 : 0) });
                foreach (var loser in accepted.Losers)
                    Tally(loser.DeviceId, t => t with { Wrong = t.Wrong + 1 });
                if (accepted.Verified)
                    _outvoted.AddRange(accepted.Losers);
                Revoke(accepted.CutShort);
                break;
            case TaskOutcome.Failed failed:
                Count(task.JobId, failed: 1);
                Revoke(failed.CutShort);
                break;
        }
    }

    public void AddLoss(string deviceId) => Tally(deviceId, t => t with { Losses = t.Losses + 1 });

    public void AddEviction(string deviceId) => Tally(deviceId, t => t with { Evictions = t.Evictions + 1 });

    /// <summary>Its device signed two different receipts for it; <paramref name="evidence"/> holds both.</summary>
    public void AddEquivocation(Attempt attempt, string evidence) => _equivocated.Add((attempt, evidence));

    /// <summary>Writes it all and raises the events. Call once, last.</summary>
    public async Task CompleteAsync(IReadOnlyCollection<TaskExecution> executions, DateTimeOffset now, CancellationToken cancel)
    {
        await queue.SaveAsync(executions, cancel);
        if (_tallies.Count > 0)
            transaction.Raise(new AttemptsEnded([.. _tallies.Values.OrderBy(t => t.DeviceId, StringComparer.Ordinal)], now));
        var outvoted = await BlameAsync([.. _outvoted.Select(a => (a, (string?)null))], cancel);
        var equivocated = await BlameAsync([.. _equivocated.Select(e => (e.Attempt, (string?)e.Evidence))], cancel);
        if (_accepted.Count > 0)
            transaction.Raise(await PaymentsAsync(now, cancel) with { Blamed = [.. outvoted.Concat(equivocated).Select(b => b.Owner).Distinct()] });
        if (outvoted.Count > 0)
            transaction.Raise(new ResultsOutvoted(outvoted, now));
        if (equivocated.Count > 0)
            transaction.Raise(new Equivocated(equivocated, now));
        // Last, because every report of a job meets at its row: the less follows, the shorter they wait for each other.
        if (_ends.Count > 0)
            transaction.Raise(new TasksEnded([.. _ends.Values], now));
        foreach (var job in executions.Select(e => e.Task.JobId).Distinct())
            transaction.SignalAfterCommit(Topics.Job(job.Value));
        // Ended attempts freed capacity, and reopened slots want some: either way placement has something to look at.
        transaction.SignalAfterCommit(Topics.Place);
    }

    private async Task<TasksAccepted> PaymentsAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var providers = await devices.ProvidersAsync([.. _accepted.SelectMany(a => a.Outcome.Winners).Select(w => w.DeviceId).Distinct(StringComparer.Ordinal)], cancel);
        var requesters = await queue.RequestersAsync([.. _ends.Keys], cancel);
        return new TasksAccepted(
            [.. _accepted.Select(a => new AcceptedTask(a.Task.JobId, a.Task.Index, requesters[a.Task.JobId], a.Outcome.CostMicro,
                [.. a.Outcome.Winners.Select(w => new Payee(providers[w.DeviceId].Owner, w.DeviceId, w.Id, providers[w.DeviceId].BenchmarkScore, w.WallMs))], a.Outcome.Metering))],
            now);
    }

    private async Task<IReadOnlyList<BlamedAttempt>> BlameAsync(IReadOnlyList<(Attempt Attempt, string? Evidence)> attempts, CancellationToken cancel)
    {
        if (attempts.Count == 0)
            return [];
        var owners = await devices.OwnersAsync([.. attempts.Select(a => a.Attempt.DeviceId).Distinct(StringComparer.Ordinal)], cancel);
        var requesters = await queue.RequestersAsync([.. attempts.Select(a => a.Attempt.JobId).Distinct()], cancel);
        return [.. attempts.Select(a => new BlamedAttempt(
            a.Attempt.Id, a.Attempt.JobId, a.Attempt.TaskIndex, a.Attempt.DeviceId, owners[a.Attempt.DeviceId], requesters[a.Attempt.JobId], a.Evidence))];
    }

    private void Count(JobId job, int succeeded = 0, int failed = 0, long charged = 0, long runMs = 0)
    {
        var ends = _ends.GetValueOrDefault(job) ?? new JobEnds(job, 0, 0, 0, 0);
        _ends[job] = ends with { Succeeded = ends.Succeeded + succeeded, Failed = ends.Failed + failed, ChargedMicro = ends.ChargedMicro + charged, RunMs = ends.RunMs + runMs };
    }

    private void Revoke(IReadOnlyList<Attempt> attempts)
    {
        foreach (var attempt in attempts)
            transaction.SignalAfterCommit(Topics.Device(attempt.DeviceId));
    }

    private void Tally(string deviceId, Func<DeviceTally, DeviceTally> change) =>
        _tallies[deviceId] = change(_tallies.GetValueOrDefault(deviceId) ?? new DeviceTally(deviceId, 0, 0, 0, 0, 0, 0));
}

/// <summary>What a job's end means to the jobs that wait for it.</summary>
internal static class JobClosing
{
    public static async Task ReleaseOrFailDependentsAsync(Job job, IJobQueue queue, ITransactionScope transaction, DateTimeOffset now, CancellationToken cancel)
    {
        if (job.State == JobState.Completed)
        {
            foreach (var ready in await queue.ReleaseDependentsAsync(job.Id, now, cancel))
                transaction.SignalAfterCommit(Topics.Job(ready.Value));
            transaction.SignalAfterCommit(Topics.Place);
            return;
        }
        foreach (var id in await queue.OpenDependentsAsync(job.Id, cancel))
        {
            await queue.CancelTasksAsync(id, "dependency_failed", now, cancel);
            if (await queue.LockJobAsync(id, cancel) is not { } dependent || !dependent.State.IsOpen())
                continue;
            dependent.FailDependency(now);
            transaction.Raise(new JobClosed(id, now));
            transaction.SignalAfterCommit(Topics.Job(id.Value));
            await ReleaseOrFailDependentsAsync(dependent, queue, transaction, now, cancel);
        }
    }
}
