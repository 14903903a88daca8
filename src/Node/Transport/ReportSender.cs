using System.Threading.Channels;
using FogCompute.Node.State;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>
/// Sends the reports of finished attempts: the first at once, those that follow together (at most 256), after a pause in proportion to the time the
/// control plane took for the one before, or as soon as they are many. So batches form by themselves, and grow as it gets busier. A report is repeated until it is answered.
/// </summary>
internal sealed class ReportSender(ControlPlaneClient client, Journal journal, Contact contact, TimeProvider clock, Random random, NodeLog log)
{
    internal const int MostItems = 256;

    /// <summary>Log tails together per request; keeps a batch of noisy failures below the server's body limit.</summary>
    private const int MostTailCharacters = 1 << 20;

    /// <summary>The pause after a request: this many times as long as the request took, but never longer than the limit.</summary>
    private const int PauseFactor = 4;
    private static readonly TimeSpan PauseLook = TimeSpan.FromMilliseconds(10);

    /// <summary>This many are worth a request of their own: the pause ends.</summary>
    private const int FullBatch = 64;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);

    private readonly Channel<LiveAttempt> _finished = Channel.CreateUnbounded<LiveAttempt>(new UnboundedChannelOptions { SingleReader = true });
    private int _unsent;

    /// <summary>Reports not yet answered.</summary>
    public int Unsent => Volatile.Read(ref _unsent);

    public void Enqueue(LiveAttempt attempt)
    {
        Interlocked.Increment(ref _unsent);
        _finished.Writer.TryWrite(attempt);
    }

    /// <summary>Runs until cancelled.</summary>
    /// <param name="settle">Told of each attempt that the control plane answered.</param>
    public async Task RunAsync(Action<Guid> settle, CancellationToken stop)
    {
        var backoff = new Backoff(clock, random);
        var batch = new List<LiveAttempt>();
        var alone = new Queue<LiveAttempt>();
        LiveAttempt? left = null;
        var (sent, took) = (clock.GetTimestamp(), TimeSpan.Zero);
        while (true)
        {
            if (batch.Count == 0)
            {
                if (alone.TryDequeue(out var next))
                    batch.Add(next);
                else
                {
                    if (left is null && !await _finished.Reader.WaitToReadAsync(stop))
                        return;
                    var pause = TimeSpan.FromTicks(Math.Min(took.Ticks * PauseFactor, LongestPause.Ticks)) - clock.GetElapsedTime(sent);
                    for (; pause > TimeSpan.Zero && Unsent < FullBatch; pause -= PauseLook)
                        await Task.Delay(pause < PauseLook ? pause : PauseLook, clock, stop);
                    left = Fill(batch, left);
                }
                // What is reported must be on disk first. Results of trivial kernels need no disk: they can be had again.
                journal.Flush(toDisk: batch.Exists(a => !a.IsTrivial));
            }
            try
            {
                var begun = clock.GetTimestamp();
                var answer = await client.ReportAsync(new ReportRequest { Items = [.. batch.Select(a => a.Result!.Report)] }, stop);
                (sent, took) = (clock.GetTimestamp(), clock.GetElapsedTime(begun));
                contact.Made();
                var ours = batch.Select(a => a.Id).ToHashSet();
                var answered = answer.Items.Select(a => a.AttemptId).ToHashSet();
                foreach (var ack in answer.Items)
                    if (ours.Contains(ack.AttemptId))
                        Settle(ack.AttemptId, ack.Status);
                batch.RemoveAll(a => answered.Contains(a.Id));
                if (batch.Count == 0)
                    backoff.Reset();
                else
                    await backoff.WaitAsync(null, stop);
            }
            catch (ControlPlaneException error) when (error.Fault == ControlPlaneFault.Refused)
            {
                contact.Made();
                if (batch.Count > 1)
                {
                    log.Warning("reports_refused", $"A batch of reports was refused, they are sent one by one to find the bad one: {error.Message}", ("reports", batch.Count));
                    foreach (var attempt in batch)
                        alone.Enqueue(attempt);
                }
                else
                {
                    log.Error("report_refused", $"The control plane refuses a report; its attempt is given up: {error.Message}", ("attempt", batch[0].Id));
                    Settle(batch[0].Id, "refused");
                }
                batch.Clear();
            }
            catch (ControlPlaneException error)
            {
                contact.Lost(error);
                await backoff.WaitAsync(error.RetryAfter, stop);
            }
        }

        void Settle(Guid id, string status)
        {
            Interlocked.Decrement(ref _unsent);
            if (status is not "recorded")
                log.Debug("report_" + status, "The control plane did not want a result; it is deleted here.", ("attempt", id));
            settle(id);
        }
    }

    /// <summary>Answers the attempt that no longer fitted, if any.</summary>
    private LiveAttempt? Fill(List<LiveAttempt> batch, LiveAttempt? left)
    {
        var tails = 0;
        while (batch.Count < MostItems)
        {
            if (left is null && !_finished.Reader.TryRead(out left))
                return null;
            tails += left.Result!.Report.LogTail?.Length ?? 0;
            if (batch.Count > 0 && tails > MostTailCharacters)
                return left;
            batch.Add(left);
            left = null;
        }
        return null;
    }
}
