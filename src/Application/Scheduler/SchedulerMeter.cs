using System.Diagnostics.Metrics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Telemetry;
using FogCompute.Application.Scheduler.Events;

namespace FogCompute.Application.Scheduler;

/// <summary>
/// The meter <c>FogCompute.Scheduler</c>, of what this process committed: histogram <c>fogcompute.scheduler.placement.duration</c> (seconds, of passes that had something to place),
/// counters <c>fogcompute.scheduler.leases</c> and <c>fogcompute.scheduler.tasks.accepted</c>.
/// </summary>
internal sealed class SchedulerMeter
{
    private readonly Histogram<double> _placement;
    private readonly Counter<long> _leases;
    private readonly Counter<long> _accepted;

    public SchedulerMeter(IMeterFactory meters)
    {
        var meter = meters.Create("FogCompute.Scheduler");
        _placement = meter.CreateHistogram("fogcompute.scheduler.placement.duration", "s", "Time of placement passes that had something to place.", advice: UseCaseMeter.Seconds);
        _leases = meter.CreateCounter<long>("fogcompute.scheduler.leases", "{lease}", "Leases given to devices.");
        _accepted = meter.CreateCounter<long>("fogcompute.scheduler.tasks.accepted", "{task}", "Tasks whose result was accepted.");
    }

    public void Placed(int leases, TimeSpan took)
    {
        _placement.Record(took.TotalSeconds);
        _leases.Add(leases);
    }

    public void Accepted(int tasks) => _accepted.Add(tasks);
}

/// <summary>Counts accepted tasks once their transaction has committed.</summary>
internal sealed class OnTasksAccepted(SchedulerMeter meter, ITransactionScope transaction) : IEventHandler<TasksAccepted>
{
    public Task Handle(TasksAccepted notification, CancellationToken cancellationToken)
    {
        transaction.AfterCommit(() => meter.Accepted(notification.Tasks.Count));
        return Task.CompletedTask;
    }
}
