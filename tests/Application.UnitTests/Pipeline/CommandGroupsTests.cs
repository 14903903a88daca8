using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Moq;

namespace FogCompute.Application.UnitTests.Pipeline;

/// <summary>Groups over a transaction that the test holds open: what was written in it counts only once it commits.</summary>
public sealed class CommandGroupsTests
{
    private static readonly AccountId Account = new(Guid.Parse("00000000-0000-7000-8000-000000000001"));
    private static readonly FogError Refusal = new("test.refused", ErrorKind.Conflict, "No.");
    private static readonly FogError Down = new("test.down", ErrorKind.Unavailable, "Down.");

    private readonly Mock<ISignals> _signals = new();
    private GroupLog _log = null!;
    private FakeStore _store = null!;
    private ServiceProvider _services = null!;

    [SetUp]
    public void Build()
    {
        _signals.Invocations.Clear();
        _log = new GroupLog();
        _store = new FakeStore();
        var services = new ServiceCollection().AddLogging().AddApplication().AddSingleton(_log).AddSingleton<IIdempotencyStore>(_store).AddSingleton(_signals.Object)
            .AddScoped<IUnitOfWork, GatedUnitOfWork>().AddScoped<IAuditLog, WrittenAuditLog>();
        services.AddGroupHandler(typeof(IGroupHandler<WriteLineCommand, string>), typeof(WriteLineHandler));
        _services = services.BuildServiceProvider();
    }

    [TearDown]
    public void Drop() => _services.Dispose();

    private async Task<string> SendAsync(WriteLineCommand command, CancellationToken cancel = default, params string[] permissions)
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller =
            new Caller(CallerKind.ApiKey, Account, null, (permissions.Length == 0 ? [Permissions.JobsWrite] : permissions).ToHashSet());
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command, cancel);
    }

    /// <summary>Both lanes are in a transaction that does not end before the test says so; what is sent meanwhile waits for the next.</summary>
    private async Task<List<Task<string>>> FillLanesAsync()
    {
        _log.Close();
        var first = new List<Task<string>>();
        for (var lanes = 1; lanes <= 2; lanes++)
        {
            first.Add(SendAsync(new WriteLineCommand("lane")));
            await _log.WaitForTransactionsAsync(lanes);
        }
        return first;
    }

    private List<Task<string>> SendAll(params WriteLineCommand[] commands) => [.. commands.Select(c => SendAsync(c))];

    [Test]
    public async Task Alone_a_command_runs_at_once_and_by_itself()
    {
        Assert.That(await SendAsync(new WriteLineCommand("a")), Is.EqualTo("a!"));
        Assert.That(_log.Committed, Is.EqualTo(new[] { "a" }));
        _signals.Verify(s => s.Publish(Topics.Place), Times.Once);
    }

    [Test]
    public async Task What_comes_during_a_transaction_shares_the_next()
    {
        var first = await FillLanesAsync();
        var later = SendAll([.. Enumerable.Range(0, 50).Select(i => new WriteLineCommand($"{i}"))]);
        _log.Open();
        await Task.WhenAll([.. first, .. later]);
        Assert.That(_log.Sizes, Is.EqualTo(new[] { 1, 1, 50 }));
        Assert.That(await Task.WhenAll(later), Is.EqualTo(Enumerable.Range(0, 50).Select(i => $"{i}!")), "each its own answer");
    }

    [Test]
    public async Task Nobody_is_answered_before_the_commit()
    {
        var first = await FillLanesAsync();
        await Task.Delay(50);
        Assert.That(first.Select(t => t.IsCompleted), Is.All.False);
        Assert.That(_log.Committed, Is.Empty);
        _log.Open();
        await Task.WhenAll(first);
        Assert.That(_log.Committed, Is.EqualTo(new[] { "lane", "lane" }));
    }

    [Test]
    public async Task A_refused_one_fails_alone()
    {
        var first = await FillLanesAsync();
        var (good, bad) = (SendAll(new("a"), new("b")), SendAsync(new WriteLineCommand("x") { Refused = true }));
        _log.Open();
        await Task.WhenAll([.. first, .. good]);
        Assert.That(() => bad, Throws.InstanceOf<FogException>().With.Property(nameof(FogException.Error)).EqualTo(Refusal));
        Assert.That(_log.Committed, Is.EquivalentTo(new[] { "lane", "lane", "a", "b" }));
    }

    [Test]
    public async Task One_that_breaks_the_whole_group_fails_alone_in_the_end_and_the_others_happen_once()
    {
        var first = await FillLanesAsync();
        var good = SendAll([.. Enumerable.Range(0, 9).Select(i => new WriteLineCommand($"{i}"))]);
        var bad = SendAsync(new WriteLineCommand("x") { Breaks = true });
        good.AddRange(SendAll([.. Enumerable.Range(9, 9).Select(i => new WriteLineCommand($"{i}"))]));
        _log.Open();
        await Task.WhenAll([.. first, .. good]);
        Assert.That(() => bad, Throws.InvalidOperationException);
        Assert.That(_log.Committed, Is.EquivalentTo(Enumerable.Range(0, 18).Select(i => $"{i}").Concat(["lane", "lane"])));
    }

    [Test]
    public async Task What_is_down_is_down_for_all_and_is_not_tried_again()
    {
        var first = await FillLanesAsync();
        var later = SendAll(new("a"), new("b"));
        _log.OutageAtCommit = new FogException(Down);
        _log.Open();
        foreach (var task in first.Concat(later))
            Assert.That(() => task, Throws.InstanceOf<FogException>().With.Property(nameof(FogException.Error)).EqualTo(Down));
        Assert.That(_log.Committed, Is.Empty);
        Assert.That(_log.Sizes.Sum(), Is.EqualTo(4), "a commit whose outcome nobody knows must not be repeated");
        _signals.Verify(s => s.Publish(It.IsAny<string>()), Times.Never);
    }

    [Test]
    public async Task Who_leaves_before_the_group_began_has_nothing_done()
    {
        using var leaving = new CancellationTokenSource();
        var first = await FillLanesAsync();
        var gone = SendAsync(new WriteLineCommand("gone"), leaving.Token);
        var stays = SendAsync(new WriteLineCommand("stays"));
        await leaving.CancelAsync();
        _log.Open();
        await Task.WhenAll([.. first, stays]);
        Assert.That(() => gone, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(_log.Committed, Is.EquivalentTo(new[] { "lane", "lane", "stays" }));
    }

    [Test]
    public async Task Who_leaves_a_group_that_has_begun_stops_nobody()
    {
        using var leaving = new CancellationTokenSource();
        _log.Close();
        var gone = SendAsync(new WriteLineCommand("gone"), leaving.Token);
        await _log.WaitForTransactionsAsync(1);
        await leaving.CancelAsync();
        Assert.That(() => gone, Throws.InstanceOf<OperationCanceledException>());
        var stays = SendAsync(new WriteLineCommand("stays"));
        _log.Open();
        await stays;
        Assert.That(await SendAsync(new WriteLineCommand("later")), Is.EqualTo("later!"));
    }

    [Test]
    public async Task A_heavy_one_runs_alone_and_in_its_turn()
    {
        var first = await FillLanesAsync();
        var later = SendAll(new("a"), new("b"), new("heavy") { Heavy = true }, new("c"), new("d"));
        _log.Open();
        await Task.WhenAll([.. first, .. later]);
        Assert.That(_log.Groups.Single(g => g.Contains("heavy")), Is.EqualTo(new[] { "heavy" }));
    }

    [Test]
    public async Task One_key_twice_at_the_same_time_is_done_once_and_answered_twice()
    {
        var first = await FillLanesAsync();
        var later = SendAll(new("a") { IdempotencyKey = "k" }, new("b"), new("a") { IdempotencyKey = "k" }, new("c"));
        _log.Open();
        await Task.WhenAll([.. first, .. later]);
        Assert.That(_log.Committed.Count(l => l == "a"), Is.EqualTo(1));
        Assert.That((await later[0], await later[2]), Is.EqualTo(("a!", "a!")));
    }

    [Test]
    public async Task The_key_of_a_refused_one_is_free_again()
    {
        var first = await FillLanesAsync();
        var later = SendAll(new("a"), new("x") { Refused = true, IdempotencyKey = "k" }, new("b"));
        _log.Open();
        await Task.WhenAll([.. first, later[0], later[2]]);
        Assert.That(() => later[1], Throws.InstanceOf<FogException>());
        Assert.That(_store.Keys, Is.Empty);
        Assert.That(await SendAsync(new WriteLineCommand("y") { IdempotencyKey = "k" }), Is.EqualTo("y!"));
        Assert.That(_store.Keys, Is.EqualTo(new[] { "k" }));
    }

    [Test]
    public async Task Each_is_recorded_with_its_own_caller_in_the_groups_transaction()
    {
        var first = await FillLanesAsync();
        var later = SendAll(new("a"), new("no") { Refused = true }, new("b") { IdempotencyKey = "k" });
        _log.Open();
        await Task.WhenAll([.. first, later[0], later[2]]);
        Assert.That(() => later[1], Throws.InstanceOf<FogException>());
        Assert.That(() => SendAsync(new WriteLineCommand("c") { Breaks = true }), Throws.InvalidOperationException);
        await SendAsync(new WriteLineCommand("b") { IdempotencyKey = "k" });
        Assert.That(_log.Entries,
            Is.EquivalentTo(new[] { "lane", "lane", "a", "b" }.Select(l => $"audit test.written {l} {Account.Value}")), "once each, nothing of the refused, the failed and the repeated");
    }

    [Test]
    public void Who_may_not_joins_no_group()
    {
        Assert.That(() => SendAsync(new WriteLineCommand("a"), default, Permissions.JobsRead), Throws.InstanceOf<FogException>().With.Property("Error").Property("Kind").EqualTo(ErrorKind.Forbidden));
        Assert.That(_log.Sizes, Is.Empty);
    }

    [Test]
    public void An_item_has_one_answer()
    {
        var item = new GroupItem<WriteLineCommand, string>(new WriteLineCommand("a"), Caller.System);
        item.Answer("a");
        Assert.That(() => item.Refuse(new FogException(Refusal)), Throws.InvalidOperationException);
    }

    [RequiresPermission(Permissions.JobsWrite)]
    [Audited("test.written", Subject = nameof(Line))]
    public sealed record WriteLineCommand(string Line) : IGroupedCommand<string>, IIdempotentCommand
    {
        public bool Refused { get; init; }
        public bool Breaks { get; init; }
        public bool Heavy { get; init; }
        public string? IdempotencyKey { get; init; }
        int IGroupedCommand<string>.Weight => Heavy ? GroupItem.MostWeight : 1;
    }

    internal sealed class WriteLineHandler(GroupLog log, ITransactionScope transaction) : IGroupHandler<WriteLineCommand, string>
    {
        public Task HandleAsync(IReadOnlyList<GroupItem<WriteLineCommand, string>> items, CancellationToken cancel)
        {
            log.Begin([.. items.Select(i => i.Command.Line)]);
            foreach (var item in items)
            {
                if (item.Command.Breaks)
                    throw new InvalidOperationException("A statement fails.");
                if (item.Command.Refused)
                {
                    item.Refuse(new FogException(Refusal));
                    continue;
                }
                log.Write(item.Command.Line);
                item.Answer(item.Command.Line + "!");
            }
            transaction.SignalAfterCommit(Topics.Place);
            return Task.CompletedTask;
        }
    }

    /// <summary>What was tried and what counts.</summary>
    internal sealed class GroupLog
    {
        private readonly Lock _gate = new();
        private readonly AsyncLocal<List<string>?> _writing = new();
        private readonly List<string> _committed = [];
        private readonly List<IReadOnlyList<string>> _groups = [];
        private TaskCompletionSource _open = Opened();
        private int _waiting;

        public FogException? OutageAtCommit { get; set; }
        public IReadOnlyList<string> Entries { get { lock (_gate) return [.. _committed.Where(IsEntry)]; } }
        public IReadOnlyList<string> Committed { get { lock (_gate) return [.. _committed.Where(l => !IsEntry(l))]; } }
        public IReadOnlyList<IReadOnlyList<string>> Groups { get { lock (_gate) return [.. _groups]; } }
        public IEnumerable<int> Sizes => Groups.Select(g => g.Count);

        private static bool IsEntry(string line) => line.StartsWith("audit ", StringComparison.Ordinal);

        public void Close() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Open() => _open.TrySetResult();

        public async Task WaitForTransactionsAsync(int count)
        {
            for (var i = 0; Volatile.Read(ref _waiting) < count; i++)
            {
                Assert.That(i, Is.LessThan(12_000), "the transactions did not begin");
                await Task.Delay(5);
            }
        }

        public void Begin(IReadOnlyList<string> lines)
        {
            lock (_gate)
                _groups.Add(lines);
        }

        public void Write(string line) => _writing.Value!.Add(line);

        public async Task<T> TransactAsync<T>(Func<Task<T>> work)
        {
            var written = new List<string>();
            _writing.Value = written;
            var result = await work();
            Interlocked.Increment(ref _waiting);
            await _open.Task;
            if (OutageAtCommit is { } outage)
                throw outage;
            lock (_gate)
                _committed.AddRange(written);
            return result;
        }

        private static TaskCompletionSource Opened()
        {
            var open = new TaskCompletionSource();
            open.SetResult();
            return open;
        }
    }

    private sealed class WrittenAuditLog(GroupLog log) : IAuditLog
    {
        public void Record(string action, string? subject, IReadOnlyDictionary<string, string>? details = null, Caller? by = null) => log.Write($"audit {action} {subject} {by?.Account.Value}");
    }

    private sealed class GatedUnitOfWork(GroupLog log) : IUnitOfWork
    {
        public Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> work, Func<CancellationToken, Task> beforeCommit, CancellationToken cancel) => log.TransactAsync(async () =>
        {
            var result = await work(cancel);
            await beforeCommit(cancel);
            return result;
        });

        public Task FlushAsync(CancellationToken cancel) => Task.CompletedTask;
    }

    /// <summary>Whoever wants a key that another transaction has reserved waits for what becomes of it, as at the table's unique index.</summary>
    private sealed class FakeStore : IIdempotencyStore
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<string, TaskCompletionSource<object?>> _answers = [];

        public IReadOnlyList<string> Keys { get { lock (_gate) return [.. _answers.Keys]; } }

        public async Task<EarlierAnswer<T>> ReserveAsync<T>(IdempotencyReservation reservation, CancellationToken cancel)
        {
            while (true)
            {
                TaskCompletionSource<object?> other;
                lock (_gate)
                {
                    if (!_answers.TryGetValue(reservation.Key, out other!))
                    {
                        _answers[reservation.Key] = new TaskCompletionSource<object?>(TaskCreationOptions.RunContinuationsAsynchronously);
                        return default;
                    }
                }
                if (await other.Task.WaitAsync(TimeSpan.FromSeconds(60), cancel) is { } answer)
                    return new EarlierAnswer<T>(true, (T)answer);
            }
        }

        public Task RememberAsync<T>(IdempotencyReservation reservation, T answer, CancellationToken cancel)
        {
            lock (_gate)
                _answers[reservation.Key].SetResult(answer);
            return Task.CompletedTask;
        }

        public Task ReleaseAsync(IdempotencyReservation reservation, CancellationToken cancel)
        {
            lock (_gate)
            {
                _answers.Remove(reservation.Key, out var free);
                free!.SetResult(null);
            }
            return Task.CompletedTask;
        }
    }
}
