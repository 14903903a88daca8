using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>Keeps one long poll outstanding: it fetches leases and revocations, renews what is held, and is the device's heartbeat.</summary>
internal sealed class PollLoop(
    ControlPlaneClient client, AttemptEngine engine, Contact contact, Func<DeviceCondition> condition, TimeProvider clock, Random random, NodeLog log) : IDisposable
{
    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan QueuePause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan QueueLook = TimeSpan.FromMilliseconds(25);
    private CancellationTokenSource _news = new();

    /// <summary>The condition changed: the outstanding poll is replaced so that the control plane learns it now. Leases in its answer come again.</summary>
    public void Wake() => Volatile.Read(ref _news).Cancel();

    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff(clock, random);
        while (!stop.IsCancellationRequested)
        {
            if (_news.IsCancellationRequested)
                // The old one is not disposed: somebody may be about to cancel it once more.
                Interlocked.Exchange(ref _news, new CancellationTokenSource());
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _news.Token);
            var held = engine.Held();
            var start = clock.GetTimestamp();
            try
            {
                double wait;
                lock (random)
                    wait = 15 * (0.8 + (0.4 * random.NextDouble()));
                var answer = await client.PollAsync(new LeasePollRequest { WaitSeconds = Math.Round(wait, 2), Held = held, Condition = condition() }, either.Token);
                contact.Made();
                backoff.Reset();
                // An answer without news that came early (a full device, a repeated delivery) must not become a busy loop.
                if (engine.Handle(answer, held) == 0 && clock.GetElapsedTime(start) < LeastPause)
                    await Task.Delay(LeastPause, clock, either.Token);
                else
                    // Not hungry: a little later there is more to fetch at once.
                    for (var pause = TimeSpan.Zero; pause < QueuePause && engine.HasQueue; pause += QueueLook)
                        await Task.Delay(QueueLook, clock, either.Token);
            }
            catch (OperationCanceledException)
            {
                // Stopped, or woken to say something new: the loop's condition tells which.
            }
            catch (ControlPlaneException error)
            {
                if (error.Status == System.Net.HttpStatusCode.NotFound && error.Code is not null)
                {
                    contact.Lost(new ControlPlaneException(ControlPlaneFault.NotAllowed, error.Message, error.Status, error.Code));
                    return;
                }
                contact.Lost(error);
                if (error.Fault == ControlPlaneFault.Refused)
                    log.Error("poll_refused", $"The control plane refuses the agent's polls: {error.Message} Are both of the same version?");
                try
                {
                    await backoff.WaitAsync(error.RetryAfter, stop);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    public void Dispose() => _news.Dispose();
}

/// <summary>Tells the control plane every 250 ms what changed at the attempts that still run: one request for all, none when nothing changed.</summary>
internal sealed class ProgressLoop(ControlPlaneClient client, AttemptEngine engine, Contact contact, TimeProvider clock, Random random)
{
    internal static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);
    private const int MostItems = 256;

    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff(clock, random);
        using var beat = new PeriodicTimer(Period, clock);
        while (await beat.WaitForNextTickAsync(stop))
        {
            engine.StopExpired();
            for (var sent = MostItems; sent == MostItems;)
            {
                var items = engine.CollectProgress(MostItems);
                sent = items.Count;
                if (sent == 0)
                    break;
                try
                {
                    var answer = await client.ProgressAsync(new ProgressRequest { Items = [.. items.Select(i => i.Progress)] }, stop);
                    contact.Made();
                    backoff.Reset();
                    engine.MarkTold(items);
                    engine.Revoke(answer.Revoked);
                }
                catch (ControlPlaneException error)
                {
                    // Nothing is marked as told, so the next round sends the newest state. Leases must still be watched meanwhile.
                    contact.Lost(error);
                    await WaitWatchingAsync(backoff.Next(error.RetryAfter), stop);
                    break;
                }
            }
        }
    }

    private async Task WaitWatchingAsync(TimeSpan wait, CancellationToken stop)
    {
        for (var left = wait; left > TimeSpan.Zero; left -= Period)
        {
            await Task.Delay(left < Period ? left : Period, clock, stop);
            engine.StopExpired();
        }
    }
}
