using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Api.Http;

/// <summary>Counts requests against the account's plan and refuses those beyond it until the next UTC day. Devices' requests do not count.</summary>
internal sealed class ApiQuota(RequestDelegate next, IPlanBook book, Plans plans, IApiCalls calls, TimeProvider time)
{
    public Task InvokeAsync(HttpContext http, CallerContext context)
    {
        var caller = context.Caller;
        if (caller.Account == default || caller.Kind is CallerKind.Device)
            return next(http);
        if (caller.IsOperator)
            return CountAsync(http, caller.Account, Plan.Enterprise);
        var plan = book.OfAsync(caller.Account, http.RequestAborted);
        return plan.IsCompletedSuccessfully ? CountAsync(http, caller.Account, plan.GetAwaiter().GetResult()) : AwaitedAsync(http, caller.Account, plan);
    }

    private async Task AwaitedAsync(HttpContext http, AccountId account, ValueTask<Plan> plan) => await CountAsync(http, account, await plan);

    private Task CountAsync(HttpContext http, AccountId account, Plan plan)
    {
        var limit = plans.Of(plan).ApiCalls;
        if (calls.TryCount(account, limit, out var used))
            return next(http);
        var now = time.GetUtcNow();
        throw new FogException(IdentityErrors.CallQuota(limit!.Value, used, plan)) { RetryAfter = Plans.NextDay(now) - now };
    }
}
