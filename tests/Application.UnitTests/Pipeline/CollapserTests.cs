using FogCompute.Application.Common.Pipeline;

namespace FogCompute.Application.UnitTests.Pipeline;

public sealed class CollapserTests
{
    /// <summary>Looks that the test ends by hand, in the order in which they began.</summary>
    private sealed class Looks
    {
        private readonly Lock _gate = new();
        private readonly List<TaskCompletionSource<int>> _begun = [];
        private readonly SemaphoreSlim _beginnings = new(0);

        public Task<int> BeginAsync(string key)
        {
            var look = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_gate)
                _begun.Add(look);
            _beginnings.Release();
            return look.Task;
        }

        public int Begun
        {
            get
            {
                lock (_gate)
                    return _begun.Count;
            }
        }

        public async Task<TaskCompletionSource<int>> NextAsync()
        {
            Assert.That(await _beginnings.WaitAsync(TimeSpan.FromSeconds(60)), Is.True, "no look began");
            lock (_gate)
                return _begun[^1];
        }
    }

    private readonly Looks _looks = new();
    private Collapser<string, int> _collapser = null!;

    [SetUp]
    public void Fresh() => _collapser = new Collapser<string, int>(_looks.BeginAsync);

    private Task<int> AskAsync(string key = "a", CancellationToken cancel = default) => _collapser.AskAsync(key, cancel);

    [Test]
    public async Task Who_asks_alone_has_a_look_of_its_own()
    {
        for (var i = 0; i < 3; i++)
        {
            var asked = AskAsync();
            (await _looks.NextAsync()).SetResult(i);
            Assert.That(await asked, Is.EqualTo(i));
        }
    }

    [Test]
    public async Task Who_asks_during_a_look_shares_the_next_and_not_the_one_under_way()
    {
        var first = AskAsync();
        var one = await _looks.NextAsync();
        var during = Enumerable.Range(0, 20).Select(_ => AskAsync()).ToList();
        var begun = _looks.Begun;
        one.SetResult(1);
        Assert.That(await first, Is.EqualTo(1));
        (await _looks.NextAsync()).SetResult(2);
        Assert.That(await Task.WhenAll(during), Is.All.EqualTo(2));
        Assert.That(_looks.Begun, Is.EqualTo(begun + 1), "one look for all twenty");
    }

    [Test]
    public async Task A_failure_is_for_those_who_waited_for_it_and_nobody_later()
    {
        var first = AskAsync();
        var one = await _looks.NextAsync();
        var second = AskAsync();
        one.SetException(new InvalidOperationException("first"));
        Assert.That(() => first, Throws.InvalidOperationException.With.Message.EqualTo("first"));
        (await _looks.NextAsync()).SetResult(2);
        Assert.That(await second, Is.EqualTo(2));
        var later = AskAsync();
        (await _looks.NextAsync()).SetResult(3);
        Assert.That(await later, Is.EqualTo(3));
    }

    [Test]
    public async Task A_look_that_throws_before_it_waits_fails_its_askers_only()
    {
        var broken = true;
        var collapser = new Collapser<string, int>(_ => broken ? throw new InvalidOperationException() : Task.FromResult(1));
        Assert.That(() => collapser.AskAsync("a", CancellationToken.None), Throws.InvalidOperationException);
        broken = false;
        Assert.That(await collapser.AskAsync("a", CancellationToken.None), Is.EqualTo(1));
    }

    [Test]
    public async Task Who_goes_away_takes_nobody_along()
    {
        using var leaving = new CancellationTokenSource();
        var first = AskAsync();
        var one = await _looks.NextAsync();
        var (gone, stays) = (AskAsync(cancel: leaving.Token), AskAsync());
        await leaving.CancelAsync();
        Assert.That(() => gone, Throws.InstanceOf<OperationCanceledException>());
        one.SetResult(1);
        Assert.That(await first, Is.EqualTo(1));
        (await _looks.NextAsync()).SetResult(2);
        Assert.That(await stays, Is.EqualTo(2));
    }

    [Test]
    public async Task Even_the_one_for_whom_a_look_began()
    {
        using var leaving = new CancellationTokenSource();
        var gone = AskAsync(cancel: leaving.Token);
        var one = await _looks.NextAsync();
        var stays = AskAsync();
        await leaving.CancelAsync();
        Assert.That(() => gone, Throws.InstanceOf<OperationCanceledException>());
        one.SetResult(1);
        (await _looks.NextAsync()).SetResult(2);
        Assert.That(await stays, Is.EqualTo(2));
    }

    [Test]
    public async Task Different_questions_do_not_wait_for_each_other()
    {
        var slow = AskAsync("slow");
        var one = await _looks.NextAsync();
        var quick = AskAsync("quick");
        (await _looks.NextAsync()).SetResult(2);
        Assert.That(await quick, Is.EqualTo(2));
        Assert.That(slow.IsCompleted, Is.False);
        one.SetResult(1);
        Assert.That(await slow, Is.EqualTo(1));
    }

    [Test]
    public async Task No_answer_is_older_than_its_question()
    {
        var (state, looks) = (0, 0);
        var collapser = new Collapser<string, int>(async _ =>
        {
            Interlocked.Increment(ref looks);
            var seen = Volatile.Read(ref state);
            await Task.Yield();
            return seen;
        });
        const int Askers = 16, Each = 500;
        await Task.WhenAll(Enumerable.Range(0, Askers).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                var written = Interlocked.Increment(ref state);
                Assert.That(await collapser.AskAsync("a", CancellationToken.None), Is.GreaterThanOrEqualTo(written));
            }
        })));
        Assert.That(looks, Is.LessThanOrEqualTo(Askers * Each));
    }
}
