using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>The end of the pipeline of a grouped command: joins the next group and waits for its commit.</summary>
internal sealed class GroupedHandler<TCommand, TResult>(CommandGroups<TCommand, TResult> groups, CallerContext context) : IRequestHandler<TCommand, TResult>
    where TCommand : IGroupedCommand<TResult>
{
    public Task<TResult> Handle(TCommand request, CancellationToken cancellationToken) => groups.SendAsync(request, context.Caller, cancellationToken);
}

/// <summary>
/// Group commit. While a transaction runs, commands that arrive wait; the next transaction takes them all (<see cref="GroupItem.Most"/>). Nobody waits for a
/// group to fill: alone, a command runs at once and by itself. An answer is given after the commit that holds its effect, never before.
/// </summary>
internal sealed class CommandGroups<TCommand, TResult>(IServiceScopeFactory scopes) where TCommand : IGroupedCommand<TResult>
{
    /// <summary>Transactions at a time: while one waits for the disk or for somebody's lock, another is prepared.</summary>
    private const int Lanes = 2;

    private readonly Lock _gate = new();
    private readonly LinkedList<Waiting> _queue = new();
    private int _running;

    public Task<TResult> SendAsync(TCommand command, Caller caller, CancellationToken cancel)
    {
        var waiting = new Waiting(command, caller, cancel);
        lock (_gate)
        {
            _queue.AddLast(waiting);
            if (_running == Lanes)
                return waiting.AnswerAsync();
            _running++;
        }
        // Not on behalf of this caller: neither its activity nor its cancellation are the group's.
        ThreadPool.UnsafeQueueUserWorkItem(static groups => _ = groups.RunAsync(), this, preferLocal: false);
        return waiting.AnswerAsync();
    }

    private async Task RunAsync()
    {
        while (Take() is { Count: > 0 } group)
            await RunAsync(group);
    }

    /// <summary>Those that come next, oldest first; empty, and this lane ends, when nobody waits.</summary>
    private List<Waiting> Take()
    {
        var group = new List<Waiting>();
        var weight = 0L;
        lock (_gate)
        {
            var keys = new HashSet<(Guid, string)>();
            while (_queue.First is { Value: var next } && group.Count < GroupItem.Most)
            {
                // Whoever went away before anything was done for it, gets nothing done.
                if (!next.IsAbandoned)
                {
                    // The second under one key needs the first's answer, which is there once that has committed.
                    if (group.Count > 0 && (weight + next.Command.Weight > GroupItem.MostWeight || (next.Key is { } key && keys.Contains((next.Caller.Account.Value, key)))))
                        break;
                    weight += next.Command.Weight;
                    if (next.Key is { } taken)
                        keys.Add((next.Caller.Account.Value, taken));
                    group.Add(next);
                }
                _queue.RemoveFirst();
            }
            if (group.Count == 0)
                _running--;
        }
        return group;
    }

    private async Task RunAsync(List<Waiting> group)
    {
        try
        {
            var items = await CommitAsync(group);
            for (var i = 0; i < group.Count; i++)
                group[i].Settle(items[i]);
        }
        // Rolled back, so nothing has happened yet. What is down is down for the halves as well, and of a commit that was lost nobody knows whether it happened.
        catch (Exception failure) when (group.Count > 1 && failure is not FogException { Error.Kind: ErrorKind.Unavailable })
        {
            var half = group.Count / 2;
            await RunAsync(group[..half]);
            await RunAsync(group[half..]);
        }
        catch (Exception failure)
        {
            foreach (var waiting in group)
                waiting.Fail(failure);
        }
    }

    private async Task<GroupItem<TCommand, TResult>[]> CommitAsync(List<Waiting> group)
    {
        await using var scope = scopes.CreateAsyncScope();
        var transaction = scope.ServiceProvider.GetRequiredService<TransactionScope>();
        var handler = scope.ServiceProvider.GetRequiredService<IGroupHandler<TCommand, TResult>>();
        var memory = new GroupMemory<TCommand, TResult>(scope.ServiceProvider.GetRequiredService<IIdempotencyStore>());
        using var span = UseCaseTracing.Source.StartActivity(typeof(TCommand).Name + " group");
        span?.SetTag("count", group.Count);
        var items = await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(
            async cancel =>
            {
                transaction.Reset();
                var items = group.Select(w => new GroupItem<TCommand, TResult>(w.Command, w.Caller)).ToArray();
                await memory.RecallAsync(items, cancel);
                var open = items.Where(i => !i.IsSettled).ToList();
                if (open.Count > 0)
                    await handler.HandleAsync(open, cancel);
                if (items.FirstOrDefault(i => !i.IsSettled) is not null)
                    throw new InvalidOperationException($"{handler.GetType().Name} left an item without an answer.");
                // Alone, a refusal rolls back like that of any command.
                if (items is [{ Refusal: { } refusal }])
                    throw refusal;
                foreach (var item in open.Where(i => i.Refusal is null))
                    AuditedCommand<TCommand, TResult>.Record(scope.ServiceProvider, item.Command, item.Result!, item.Caller);
                await memory.RememberAsync(cancel);
                return items;
            },
            transaction.DeliverAsync,
            CancellationToken.None);
        transaction.Signal();
        return items;
    }

    private sealed class Waiting(TCommand command, Caller caller, CancellationToken cancel)
    {
        // Callers go on in their own time, not inside the lane.
        private readonly TaskCompletionSource<TResult> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TCommand Command => command;
        public Caller Caller => caller;
        public string? Key => (command as IIdempotentCommand)?.IdempotencyKey;
        public bool IsAbandoned => cancel.IsCancellationRequested;

        /// <summary>Whoever stops waiting stops nobody else, and no longer what a group has begun.</summary>
        public Task<TResult> AnswerAsync() => _answer.Task.WaitAsync(cancel);

        public void Settle(GroupItem<TCommand, TResult> item)
        {
            if (item.Refusal is { } refusal)
                _answer.SetException(refusal);
            else
                _answer.SetResult(item.Result!);
        }

        public void Fail(Exception failure) => _answer.SetException(failure);
    }
}

/// <summary>The answers that a group remembers under its callers' keys, in the group's own transaction; the same promise as <see cref="IdempotencyBehavior{TRequest,TResult}"/>.</summary>
internal sealed class GroupMemory<TCommand, TResult>(IIdempotencyStore store) where TCommand : IGroupedCommand<TResult>
{
    private readonly List<(IdempotencyReservation Reservation, GroupItem<TCommand, TResult> Item)> _reserved = [];

    /// <summary>Reserves the keys and answers the items whose key has an answer.</summary>
    public async Task RecallAsync(IEnumerable<GroupItem<TCommand, TResult>> items, CancellationToken cancel)
    {
        _reserved.Clear();
        // In one order everywhere, so that two groups with common keys wait for each other in one direction only.
        foreach (var item in items.Where(i => KeyOf(i) is not null).OrderBy(i => i.Caller.Account.Value).ThenBy(KeyOf, StringComparer.Ordinal))
        {
            var reservation = new IdempotencyReservation(item.Caller.Account, typeof(TCommand).Name, KeyOf(item)!, IdempotencyFingerprint.Of(item.Command));
            try
            {
                if (await store.ReserveAsync<TResult>(reservation, cancel) is { Found: true } earlier)
                    item.Answer(earlier.Answer!);
                else
                    _reserved.Add((reservation, item));
            }
            catch (FogException refusal)
            {
                item.Refuse(refusal);
            }
        }
    }

    /// <summary>A command that failed is not remembered: its key is as free as before.</summary>
    public async Task RememberAsync(CancellationToken cancel)
    {
        foreach (var (reservation, item) in _reserved)
        {
            if (item.Refusal is null)
                await store.RememberAsync(reservation, item.Result!, cancel);
            else
                await store.ReleaseAsync(reservation, cancel);
        }
    }

    private static string? KeyOf(GroupItem<TCommand, TResult> item) => (item.Command as IIdempotentCommand)?.IdempotencyKey;
}
