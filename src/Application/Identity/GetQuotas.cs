using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// GET /api/identity/quotas
// The caller's plan, its limits and what is used of them today.

/// <summary>Show the caller's plan, its limits and what is used of them.</summary>
[RequiresPermission(Permissions.JobsRead)]
public sealed record GetQuotasQuery : IQuery<QuotasAnswer>;

/// <param name="Plan">free, pro or enterprise. Operators have the largest whatever their account's is.</param>
/// <param name="ResetsAt">When the next UTC day begins: compute hours and API calls count from zero again.</param>
public sealed record QuotasAnswer(Guid AccountId, string Plan, DateTimeOffset ResetsAt, ComputeQuota ComputeHours, CallQuota ApiCalls, ArtifactUse ArtifactGib);

/// <summary>Wall hours of tasks submitted today.</summary>
/// <param name="Limit">Null: none.</param>
/// <param name="Used">Measured of ended jobs, reserved of open ones; null: not counted, because there is no limit.</param>
/// <param name="Reserved">Of it reserved.</param>
public sealed record ComputeQuota(double? Limit, double? Used, double? Reserved);

/// <param name="Limit">Null: none.</param>
/// <param name="Used">Up to about a second ago.</param>
public sealed record CallQuota(long? Limit, long Used);

/// <summary>GiB that the account may read, in all and not by day.</summary>
/// <param name="Limit">Null: none.</param>
public sealed record ArtifactUse(double? Limit, double Used);

internal sealed class GetQuotasHandler(IPlanBook book, Plans plans, IUsage usage, IArtifactCatalog artifacts, CallerContext context, TimeProvider time) : IQueryHandler<GetQuotasQuery, QuotasAnswer>
{
    public async Task<QuotasAnswer> Handle(GetQuotasQuery request, CancellationToken cancellationToken)
    {
        var (account, now) = (context.Caller.Account, time.GetUtcNow());
        var plan = context.Caller.IsOperator ? Plan.Enterprise : await book.OfAsync(account, cancellationToken);
        var limits = plans.Of(plan);
        var use = await usage.OfAsync(account, Plans.DayOf(now), cancellationToken);
        var compute = limits.ComputeHours is null ? new ComputeQuota(null, null, null) : new ComputeQuota(limits.ComputeHours, PlanLimits.Hours(use.ComputeMs), PlanLimits.Hours(use.ReservedMs));
        return new QuotasAnswer(
            account.Value, PlanLimits.Word(plan), Plans.NextDay(now), compute, new CallQuota(limits.ApiCalls, use.ApiCalls),
            new ArtifactUse(limits.ArtifactGib, PlanLimits.Gib(await artifacts.BytesOfAsync(account, cancellationToken))));
    }
}
