using System.Reflection;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using MediatR;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>Records what <see cref="AuditedAttribute"/> asks for, inside the unit of work; a repetition under an idempotency key does not come this far.</summary>
internal sealed class AuditBehavior<TRequest, TResult>(IServiceProvider services) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    private static readonly AuditedFacts? Facts = typeof(TRequest).GetCustomAttribute<AuditedAttribute>() is { } audited && typeof(ICommand<TResult>).IsAssignableFrom(typeof(TRequest))
        ? new AuditedFacts(audited, typeof(TRequest), typeof(TResult))
        : null;

    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) => Facts is null ? next() : RecordedAsync(Facts, request, next);

    private async Task<TResult> RecordedAsync(AuditedFacts facts, TRequest request, RequestHandlerDelegate<TResult> next)
    {
        var result = await next();
        ((IAuditLog)services.GetService(typeof(IAuditLog))!).Record(facts.Action, facts.SubjectOf(request, result), facts.DetailsOf(request, result));
        return result;
    }
}
