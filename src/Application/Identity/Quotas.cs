using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using Microsoft.Extensions.DependencyInjection;

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

    /// <summary>As if these jobs had never reserved anything.</summary>
    Task ReleaseComputeAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);

    /// <summary>Replaces the reservations of ended jobs by what was measured, and forgets days before <paramref name="keep"/>; answers how many reservations.</summary>
    Task<int> CommitComputeAsync(int most, DateOnly keep, CancellationToken cancel);
}

internal sealed class ComputeQuotas(IPlanBook book, Plans plans, IUsage usage) : IComputeQuota
{
    public async Task<IReadOnlyDictionary<JobId, FogException>> ReserveAsync(IReadOnlyList<ComputeAsk> asks, DateTimeOffset now, CancellationToken cancel)
    {
        var refused = new Dictionary<JobId, FogException>();
        var day = Plans.DayOf(now);
        // In the order of accounts: transactions that carry submits of several lock their rows in one order.
        foreach (var ask in asks.Where(a => !a.Unlimited).OrderBy(a => a.Account.Value))
        {
            var plan = book.Remembered(ask.Account) ?? await usage.PlanOfAsync(ask.Account, cancel);
            // Without a limit nothing is counted: submits of one account would queue at its row for a figure that nobody asks for.
            if (plans.Of(plan).ComputeMs is not { } limit)
                continue;
            if (await usage.ReserveComputeAsync(ask.Account, day, ask.Job, ask.Milliseconds, limit, cancel) is { } used)
            {
                refused[ask.Job] = new FogException(IdentityErrors.ComputeQuota(PlanLimits.Hours(limit), PlanLimits.Hours(used), PlanLimits.Hours(ask.Milliseconds), plan))
                {
                    RetryAfter = Plans.NextDay(now) - now,
                };
            }
        }
        return refused;
    }

    public Task ReleaseAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel) => usage.ReleaseComputeAsync(jobs, cancel);
}

internal sealed class ArtifactQuota(IPlanBook book, Plans plans, CallerContext context) : IArtifactQuota
{
    public async ValueTask<ArtifactAllowance> OfAsync(AccountId owner, CancellationToken cancel)
    {
        var plan = context.Caller.IsOperator && context.Caller.Account == owner ? Plan.Enterprise : await book.OfAsync(owner, cancel);
        return new ArtifactAllowance(plans.Of(plan).ArtifactBytes, plan);
    }
}

public static class QuotaApplication
{
    /// <summary>What other modules ask of plans.</summary>
    public static void AddQuotasApplication(this IServiceCollection services)
    {
        services.AddScoped<IComputeQuota, ComputeQuotas>();
        services.AddScoped<IArtifactQuota, ArtifactQuota>();
    }
}
