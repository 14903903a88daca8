using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Identity;

/// <summary>Which plan an account has, remembered for 5 s; unknown accounts and plans are free.</summary>
public interface IPlanBook
{
    ValueTask<Plan> OfAsync(AccountId account, CancellationToken cancel);

    /// <summary>Without a look into the database; null: not remembered.</summary>
    Plan? Remembered(AccountId account);
}

/// <summary>Requests by account and day: counted in this process, written each second, so that a request costs no look into the database.</summary>
public interface IApiCalls
{
    /// <summary>Counts one request unless the account is known to have used up <paramref name="limit"/>; then it answers false.</summary>
    /// <param name="used">Known before this one: of all processes up to the last second, of this one up to now.</param>
    bool TryCount(AccountId account, long? limit, out long used);
}

/// <param name="ComputeMs">Reserved for open jobs and measured of ended ones.</param>
/// <param name="ReservedMs">Of it reserved.</param>
public sealed record DayUse(long ComputeMs, long ReservedMs, long ApiCalls);

/// <summary>What accounts use, one row per account and day.</summary>
public interface IUsage
{
    /// <summary>The account's plan over the running transaction's connection: who holds one must not wait for another.</summary>
    Task<Plan> PlanOfAsync(AccountId account, CancellationToken cancel);

    Task<DayUse> OfAsync(AccountId account, DateOnly day, CancellationToken cancel);

    /// <summary>Reserves in one conditional statement, so that no two submits pass the limit together. Null: reserved; else what is in use.</summary>
    Task<long?> ReserveComputeAsync(AccountId account, DateOnly day, JobId job, long milliseconds, long limit, CancellationToken cancel);

    /// <summary>Replaces the reservations of ended jobs by what was measured, and forgets days before <paramref name="keep"/>; answers how many reservations.</summary>
    Task<int> CommitComputeAsync(int most, DateOnly keep, CancellationToken cancel);
}

/// <summary>Reserves a job's compute hours with its submit; too few left refuses it (429) and rolls everything back.</summary>
internal sealed class OnJobAdmitted(IPlanBook book, Plans plans, IUsage usage, CallerContext context) : IEventHandler<JobAdmitted>
{
    public async Task Handle(JobAdmitted notification, CancellationToken cancellationToken)
    {
        if (context.Caller.IsOperator)
            return;
        var plan = book.Remembered(notification.Requester) ?? await usage.PlanOfAsync(notification.Requester, cancellationToken);
        // Without a limit nothing is counted: submits of one account would queue at its row for a figure that nobody asks for.
        if (plans.Of(plan).ComputeMs is not { } limit)
            return;
        var day = Plans.DayOf(notification.At);
        if (await usage.ReserveComputeAsync(notification.Requester, day, notification.Job, notification.RunMs, limit, cancellationToken) is { } used)
            throw new FogException(IdentityErrors.ComputeQuota(PlanLimits.Hours(limit), PlanLimits.Hours(used), PlanLimits.Hours(notification.RunMs), plan))
            {
                RetryAfter = Plans.NextDay(notification.At) - notification.At,
            };
    }
}

internal sealed class ArtifactQuota(IPlanBook book, Plans plans, CallerContext context) : IArtifactQuota
{
    public async ValueTask<ArtifactAllowance> OfAsync(AccountId owner, CancellationToken cancel)
    {
        var plan = context.Caller.IsOperator && context.Caller.Account == owner ? Plan.Enterprise : await book.OfAsync(owner, cancel);
        return new ArtifactAllowance(plans.Of(plan).ArtifactBytes, plan);
    }
}
