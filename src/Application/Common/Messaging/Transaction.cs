using MediatR;

namespace FogCompute.Application.Common.Messaging;

/// <summary>The running transaction as use cases see it: they raise events and signals, they never save and never send.</summary>
public interface ITransactionScope
{
    /// <summary>Delivers the event to its handlers inside this transaction, after the handler returns and before the commit.</summary>
    void Raise(IDomainEvent happened);

    /// <summary>Wakes waiters of the topic on every control-plane process once the transaction has committed.</summary>
    void SignalAfterCommit(string topic);

    /// <summary>Runs once the transaction has committed, and never when it has not: for counting what happened. Must not fail.</summary>
    void AfterCommit(Action count);
}

/// <summary>Opens, saves and commits the transaction; implemented over the database.</summary>
public interface IUnitOfWork
{
    /// <summary>
    /// Runs <paramref name="work"/> in one transaction with <paramref name="beforeCommit"/> after it, saves once, commits. Deadlocks and
    /// serialization failures are retried from the start (at most 5 times); a database that is down throws a 503 <c>FogException</c>.
    /// </summary>
    Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> work, Func<CancellationToken, Task> beforeCommit, CancellationToken cancel);

    /// <summary>Sends tracked changes to the database inside the running transaction, for a use case whose next query must see them.</summary>
    Task FlushAsync(CancellationToken cancel);
}

/// <summary>Wake-ups between requests and between processes. At-most-once: every waiter also has a period.</summary>
public interface ISignals
{
    /// <summary>Wakes all current waiters of the topic, here and on the other control-plane processes.</summary>
    void Publish(string topic);

    /// <summary>
    /// A ticket taken BEFORE looking at the database; awaiting it returns at once when a signal came in between. Dispose it.
    /// </summary>
    ISignalTicket Listen(string topic);
}

public interface ISignalTicket : IDisposable
{
    /// <summary>Whether a signal came since the ticket was taken.</summary>
    bool IsSignalled { get; }

    /// <summary>True when signalled, false when the timeout passed.</summary>
    Task<bool> WaitAsync(TimeSpan timeout, CancellationToken cancel);
}

/// <summary>Topic names.</summary>
public static class Topics
{
    /// <summary>There may be something to place.</summary>
    public const string Place = "place";

    /// <summary>An array may need its next tasks written.</summary>
    public const string WriteTasks = "write_tasks";

    /// <summary>A tunable of the pool has another value.</summary>
    public const string Parameters = "parameters";

    /// <summary>Somebody's credentials were revoked or their rights changed: what is remembered of lookups is not good any more.</summary>
    public const string Credentials = "credentials";

    /// <summary>Somebody asked for a new password.</summary>
    public const string PasswordResets = "password_resets";

    /// <summary>A device has new leases or revocations.</summary>
    public static string Device(string deviceId) => "device:" + deviceId;

    /// <summary>A job changed state or its log grew.</summary>
    public static string Job(Guid jobId) => "job:" + jobId.ToString("D");
}

internal sealed class TransactionScope(IMediator mediator, ISignals signals) : ITransactionScope
{
    private readonly Queue<IDomainEvent> _events = new();
    private readonly HashSet<string> _topics = new(StringComparer.Ordinal);
    private readonly List<Action> _counts = [];

    public void Raise(IDomainEvent happened) => _events.Enqueue(happened);

    public void SignalAfterCommit(string topic) => _topics.Add(topic);

    public void AfterCommit(Action count) => _counts.Add(count);

    internal void Reset()
    {
        _events.Clear();
        _topics.Clear();
        _counts.Clear();
    }

    internal async Task DeliverAsync(CancellationToken cancel)
    {
        while (_events.TryDequeue(out var happened))
            await mediator.Publish(happened, cancel);
    }

    internal void Signal()
    {
        foreach (var topic in _topics)
            signals.Publish(topic);
        _topics.Clear();
        foreach (var count in _counts)
            count();
        _counts.Clear();
    }
}
