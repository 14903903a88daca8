using System.Diagnostics;
using System.Reflection;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Common.Telemetry;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Common.Pipeline;

// Order: tracing ▸ authorization ▸ validation ▸ collapsing ▸ preparation ▸ unit of work ▸ idempotency ▸ audit ▸ handler. Registered in Application/DependencyInjection.cs.

/// <summary>One span, one measurement and one structured log line per use case; never the message itself.</summary>
internal sealed partial class TracingBehavior<TRequest, TResult>(UseCaseMeter meter, ILogger<TracingBehavior<TRequest, TResult>> log) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    private static readonly string Name = UseCaseTracing.NameOf(typeof(TRequest));
    private static readonly string Module = typeof(TRequest).Namespace?.Split('.').ElementAtOrDefault(2) ?? "";

    public async Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next)
    {
        using var span = UseCaseTracing.Source.StartActivity(Name);
        var started = Stopwatch.GetTimestamp();
        try
        {
            var result = await next();
            var took = Stopwatch.GetElapsedTime(started);
            meter.Done(Name, Module, "ok", took);
            Done(log, Name, Module, took.TotalMilliseconds);
            return result;
        }
        catch (FogException refusal)
        {
            var took = Stopwatch.GetElapsedTime(started);
            span?.SetStatus(ActivityStatusCode.Error, refusal.Error.Code).SetTag("error.type", refusal.Error.Code);
            meter.Done(Name, Module, "refused", took);
            meter.Refused(Module, refusal.Error.Code);
            Refused(log, Name, Module, refusal.Error.Code, took.TotalMilliseconds);
            throw;
        }
        catch (Exception failure)
        {
            var cancelled = failure is OperationCanceledException && cancellationToken.IsCancellationRequested;
            if (!cancelled)
                span?.SetStatus(ActivityStatusCode.Error, failure.GetType().Name).SetTag("error.type", failure.GetType().FullName);
            meter.Done(Name, Module, cancelled ? "cancelled" : "failed", Stopwatch.GetElapsedTime(started));
            throw;
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "use_case_done {use_case} {module} {elapsed_ms}")]
    private static partial void Done(ILogger logger, string use_case, string module, double elapsed_ms);

    [LoggerMessage(2, LogLevel.Information, "use_case_refused {use_case} {module} {code} {elapsed_ms}")]
    private static partial void Refused(ILogger logger, string use_case, string module, string code, double elapsed_ms);
}

/// <summary>The activity source that exporters subscribe to.</summary>
public static class UseCaseTracing
{
    public static readonly ActivitySource Source = new("FogCompute.UseCases");

    /// <summary>The use case's name as its file has it.</summary>
    internal static string NameOf(Type request) => request.Name switch
    {
        var name when name.EndsWith("Command", StringComparison.Ordinal) => name[..^"Command".Length],
        var name when name.EndsWith("Query", StringComparison.Ordinal) => name[..^"Query".Length],
        var name => name,
    };
}

internal sealed class AuthorizationBehavior<TRequest, TResult>(CallerContext context) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    // Start-up has checked that every request type carries the attribute.
    private static readonly string Needed = typeof(TRequest).GetCustomAttribute<RequiresPermissionAttribute>()!.Permission;

    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next)
    {
        if (Needed == Permissions.Public || context.Caller.Permissions.Contains(Needed))
            return next();
        throw new FogException(context.Caller.Kind == CallerKind.Anonymous ? IdentityErrors.Unauthenticated : IdentityErrors.Forbidden(Needed));
    }
}

/// <summary>Shape of the message, no I/O; all violations at once.</summary>
internal sealed class ValidationBehavior<TRequest, TResult>(IEnumerable<IValidator<TRequest>> validators) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next)
    {
        var failures = validators.SelectMany(v => v.Validate(request).Errors).ToList();
        if (failures.Count == 0)
            return next();
        var fields = failures
            .GroupBy(f => WireNames.Of(f.PropertyName), StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(f => f.ErrorMessage).Distinct(StringComparer.Ordinal).ToArray(), StringComparer.Ordinal);
        var summary = string.Join(" ", fields.Select(f => $"{f.Key}: {string.Join("; ", f.Value)}"));
        throw new FogException(new FogError("common.validation_failed", ErrorKind.Invalid, summary), fields);
    }
}

/// <summary>What a command does before its transaction begins.</summary>
internal sealed class PreparationBehavior<TRequest, TResult>(IEnumerable<IPreparation<TRequest>> preparations) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    public async Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next)
    {
        foreach (var preparation in preparations)
            await preparation.PrepareAsync(request, cancellationToken);
        return await next();
    }
}

/// <summary>One transaction per command: handler, events of other modules, save, commit, then signals.</summary>
/// <param name="services">Asked only when there is something to do: a query, or a command that joins a group, needs no transaction here and no context for it.</param>
internal sealed class UnitOfWorkBehavior<TRequest, TResult>(IServiceProvider services) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    private static readonly bool IsAlone = typeof(ICommand<TResult>).IsAssignableFrom(typeof(TRequest)) && !typeof(IGroupedCommand<TResult>).IsAssignableFrom(typeof(TRequest));

    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) =>
        IsAlone ? RunAsync(services.GetRequiredService<IUnitOfWork>(), services.GetRequiredService<TransactionScope>(), next, cancellationToken) : next();

    private static async Task<TResult> RunAsync(IUnitOfWork unitOfWork, TransactionScope scope, RequestHandlerDelegate<TResult> next, CancellationToken cancellationToken)
    {
        var result = await unitOfWork.RunAsync(
            _ =>
            {
                scope.Reset();
                return next();
            },
            scope.DeliverAsync,
            cancellationToken);
        scope.Signal();
        return result;
    }
}

/// <summary>Remembers the answer of a command under the caller's key, in the command's own transaction: a failed command records nothing.</summary>
internal sealed class IdempotencyBehavior<TRequest, TResult>(IServiceProvider services, CallerContext context) : IPipelineBehavior<TRequest, TResult>
    where TRequest : notnull
{
    public Task<TResult> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) =>
        request is IIdempotentCommand { IdempotencyKey: { } key } and not IGroupedCommand<TResult> ? OnceAsync(request, key, next, cancellationToken) : next();

    private async Task<TResult> OnceAsync(TRequest request, string key, RequestHandlerDelegate<TResult> next, CancellationToken cancellationToken)
    {
        var store = services.GetRequiredService<IIdempotencyStore>();
        var reservation = new IdempotencyReservation(context.Caller.Account, typeof(TRequest).Name, key, IdempotencyFingerprint.Of(request));
        if (await store.ReserveAsync<TResult>(reservation, cancellationToken) is { Found: true } earlier)
            return earlier.Answer!;
        var result = await next();
        await store.RememberAsync(reservation, result, cancellationToken);
        return result;
    }
}
