using MediatR;

namespace FogCompute.Application.Common.Messaging;

// The only place that names MediatR (the architecture tests hold it here): a newer mediator is a change of this folder.

/// <summary>A request that changes state; runs in one transaction.</summary>
public interface ICommand<out TResult> : IRequest<TResult>;

/// <summary>A request that only reads.</summary>
public interface IQuery<out TResult> : IRequest<TResult>;

/// <summary>A command whose caller may repeat it under a key without doing it twice.</summary>
public interface IIdempotentCommand
{
    /// <summary>The caller's key (header <c>Idempotency-Key</c>), 1–255 characters; null: not asked for.</summary>
    string? IdempotencyKey { get; }
}

/// <summary>Something that happened inside the current transaction; handlers run before it commits.</summary>
public interface IDomainEvent : INotification;

public interface ICommandHandler<in TCommand, TResult> : IRequestHandler<TCommand, TResult> where TCommand : ICommand<TResult>;

public interface IQueryHandler<in TQuery, TResult> : IRequestHandler<TQuery, TResult> where TQuery : IQuery<TResult>;

/// <summary>Reacts in another module, in the same transaction; throwing rolls everything back.</summary>
public interface IEventHandler<in TEvent> : INotificationHandler<TEvent> where TEvent : IDomainEvent;

/// <summary>
/// Slow or outside work of a command (hashing a password, sending mail) that must not hold a database connection. Runs once, before the
/// transaction; changes nothing, and the handler checks again what may have changed since.
/// </summary>
public interface IPreparation<in TCommand>
{
    Task PrepareAsync(TCommand command, CancellationToken cancel);
}

/// <summary>Sends use cases through the pipeline.</summary>
public interface IDispatcher
{
    Task<TResult> SendAsync<TResult>(ICommand<TResult> command, CancellationToken cancel = default);

    Task<TResult> SendAsync<TResult>(IQuery<TResult> query, CancellationToken cancel = default);
}

internal sealed class Dispatcher(IMediator mediator) : IDispatcher
{
    public Task<TResult> SendAsync<TResult>(ICommand<TResult> command, CancellationToken cancel = default) => mediator.Send(command, cancel);

    public Task<TResult> SendAsync<TResult>(IQuery<TResult> query, CancellationToken cancel = default) => mediator.Send(query, cancel);
}
