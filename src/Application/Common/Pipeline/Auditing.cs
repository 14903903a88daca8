using System.Reflection;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>Records what <see cref="AuditedAttribute"/> asks for, inside the unit of work; a repetition under an idempotency key does not come this far.</summary>
internal sealed class AuditBehavior<TRequest, TResult>(IServiceProvider services) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    // A grouped command's transaction is the group's, which records it there.
    private static readonly bool IsAudited = AuditedCommand<TRequest, TResult>.Facts is not null && !typeof(IGroupedCommand<TResult>).IsAssignableFrom(typeof(TRequest));

    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) => IsAudited ? RecordedAsync(request, next) : next();

    private async Task<TResult> RecordedAsync(TRequest request, RequestHandlerDelegate<TResult> next)
    {
        var result = await next();
        AuditedCommand<TRequest, TResult>.Record(services, request, result);
        return result;
    }
}

/// <summary>What a type of command leaves in the audit log.</summary>
internal static class AuditedCommand<TCommand, TResult> where TCommand : notnull
{
    /// <summary>Null: nothing, or nothing by itself.</summary>
    public static readonly AuditedFacts? Facts = typeof(TCommand).GetCustomAttribute<AuditedAttribute>() is { } audited && typeof(ICommand<TResult>).IsAssignableFrom(typeof(TCommand))
        ? new AuditedFacts(audited, typeof(TCommand), typeof(TResult))
        : null;

    /// <param name="by">Null: the caller of the scope.</param>
    public static void Record(IServiceProvider services, TCommand command, TResult result, Caller? by = null)
    {
        if (Facts is { } facts)
            services.GetRequiredService<IAuditLog>().Record(facts.Action, facts.SubjectOf(command, result), facts.DetailsOf(command, result), by);
    }
}
