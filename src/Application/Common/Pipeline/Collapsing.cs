using System.Reflection;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>
/// Shares looks among those who ask the same at the same time. Who asks while nobody looks, looks at once; who asks during a look waits for the next, since the one
/// under way may have read its part before. A look's outcome, failure included, is for those who waited for it and for nobody later.
/// </summary>
/// <param name="look">Not on behalf of any one asker: it is neither cancelled nor traced with one.</param>
internal sealed class Collapser<TKey, TResult>(Func<TKey, Task<TResult>> look) where TKey : notnull
{
    private readonly Lock _gate = new();

    /// <summary>Questions that are being looked into; null: nobody waits for the next look yet.</summary>
    private readonly Dictionary<TKey, Outcome?> _next = [];

    public Task<TResult> AskAsync(TKey key, CancellationToken cancel)
    {
        Outcome outcome;
        lock (_gate)
        {
            if (_next.TryGetValue(key, out var next))
            {
                outcome = next ?? (_next[key] = new Outcome());
                return outcome.Task.WaitAsync(cancel);
            }
            _next.Add(key, null);
            outcome = new Outcome();
        }
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Self.LookAsync(work.Key, work.First), (Self: this, Key: key, First: outcome), preferLocal: false);
        return outcome.Task.WaitAsync(cancel);
    }

    private async Task LookAsync(TKey key, Outcome outcome)
    {
        while (true)
        {
            try
            {
                outcome.SetResult(await look(key));
            }
            catch (Exception failure)
            {
                outcome.SetException(failure);
            }
            lock (_gate)
            {
                if (_next[key] is not { } next)
                {
                    _next.Remove(key);
                    return;
                }
                outcome = next;
                _next[key] = null;
            }
        }
    }

    // Askers go on in their own time, not inside the look.
    private sealed class Outcome() : TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The looks of one query: its handler in a scope of its own, as the caller who asked.</summary>
internal sealed class SharedLooks<TRequest, TResult>(IServiceScopeFactory scopes) where TRequest : IRequest<TResult>
{
    private readonly Collapser<(TRequest Request, Caller Caller), TResult> _looks = new(async question =>
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = question.Caller;
        return await scope.ServiceProvider.GetRequiredService<IRequestHandler<TRequest, TResult>>().Handle(question.Request, CancellationToken.None);
    });

    public Task<TResult> AskAsync(TRequest request, Caller caller, CancellationToken cancel) => _looks.AskAsync((request, caller), cancel);
}

/// <summary>After authorization and validation, which each asker passes alone.</summary>
internal sealed class CollapsingBehavior<TRequest, TResult>(IServiceProvider services, CallerContext context) : IPipelineBehavior<TRequest, TResult>
    where TRequest : IRequest<TResult>
{
    private static readonly CollapsedAttribute? Collapsed = typeof(TRequest).GetCustomAttribute<CollapsedAttribute>();

    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) => Collapsed is null
        ? next()
        : services.GetRequiredService<SharedLooks<TRequest, TResult>>().AskAsync(request, Collapsed.SameForAll ? Caller.Anonymous : context.Caller, cancellationToken);
}
