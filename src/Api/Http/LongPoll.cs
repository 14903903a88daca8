using Microsoft.AspNetCore.Mvc.Filters;

namespace FogCompute.Api.Http;

/// <summary>
/// For actions that wait (long polls, event streams): their cancellation token also fires when the server begins to stop, so that a shutdown
/// takes moments. The caller then gets 503 with Retry-After.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LongPollAttribute : Attribute, IAsyncResourceFilter
{
    public async Task OnResourceExecutionAsync(ResourceExecutingContext context, ResourceExecutionDelegate next)
    {
        var http = context.HttpContext;
        var stopping = http.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var caller = http.RequestAborted;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(caller, stopping);
        http.RequestAborted = either.Token;
        try
        {
            var done = await next();
            if (done.Exception is OperationCanceledException && stopping.IsCancellationRequested)
            {
                done.ExceptionHandled = true;
                http.RequestAborted = caller;
                // What has begun can only end.
                if (http.Response.HasStarted)
                    return;
                await Problems.WriteAsync(http, 503, HttpErrors.ShuttingDown, null, TimeSpan.FromSeconds(1));
            }
        }
        finally
        {
            http.RequestAborted = caller;
        }
    }
}
