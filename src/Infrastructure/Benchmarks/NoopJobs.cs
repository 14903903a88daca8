using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Protocol;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Benchmarks;

/// <summary>Jobs of nothing, sent through the same use cases as everybody's: submit, placement, lease, report, acceptance.</summary>
internal sealed class NoopJobs(IServiceScopeFactory scopes, ISignals signals)
{
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(3);
    private static readonly string[] Ended = ["completed", "failed", "cancelled", "expired", "rejected"];

    /// <summary>How long from submit until the requester sees the end.</summary>
    /// <returns>The time, or why there is none.</returns>
    public async Task<(TimeSpan? Took, string? Why)> RunAsync(AccountId account, int tasks, TimeSpan patience, CancellationToken cancel)
    {
        Guid id;
        var started = Stopwatch.GetTimestamp();
        // Not the caller's token: a submit that is given up half way may be committed all the same, and nobody would know the job to cancel.
        using var submitting = new CancellationTokenSource(LastPatience);
        try
        {
            cancel.ThrowIfCancellationRequested();
            id = (await SendAsync(account, dispatcher => dispatcher.SendAsync(new SubmitJobCommand
            {
                Name = "benchmark", CpuRequired = 0.01, MemoryRequired = 1, DurationEstimate = 0.01, Retries = 0, Payload = new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Noop },
                Array = tasks == 1 ? null : new ArraySpec { Count = tasks }, Limits = new LimitsSpec { QueueSeconds = (int)Math.Ceiling(patience.TotalSeconds) + 5 },
            }, submitting.Token))).JobId;
        }
        catch (FogException refusal)
        {
            return (null, refusal.Error.Message);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, $"A submit took longer than {LastPatience.TotalSeconds:0} s."); // If it went through, its queue clock ends it.
        }
        var status = "pending";
        try
        {
            while (Stopwatch.GetElapsedTime(started) is var elapsed && elapsed < patience)
            {
                using var ticket = signals.Listen(Topics.Job(id));
                status = (await SendAsync(account, dispatcher => dispatcher.SendAsync(new GetJobQuery(id), cancel))).Status;
                if (Ended.Contains(status))
                    return status == "completed" ? (Stopwatch.GetElapsedTime(started), null) : (null, $"A job of the benchmark {status}.");
                var left = patience - elapsed;
                await ticket.WaitAsync(left < TimeSpan.FromMilliseconds(200) ? left : TimeSpan.FromMilliseconds(200), cancel);
            }
            return (null, $"No device answered within {patience.TotalSeconds:0} s.");
        }
        finally
        {
            if (!Ended.Contains(status))
                await CancelAsync(account, id);
        }
    }

    /// <summary>Also when the benchmark was stopped: nothing of it stays in the queue.</summary>
    private async Task CancelAsync(AccountId account, Guid id)
    {
        using var patience = new CancellationTokenSource(LastPatience);
        try
        {
            await SendAsync(account, dispatcher => dispatcher.SendAsync(new CancelJobCommand(id), patience.Token));
        }
        catch (Exception late) when (late is FogException or OperationCanceledException)
        {
            // It ended by itself, or its queue clock ends it.
        }
    }

    private async Task<T> SendAsync<T>(AccountId account, Func<IDispatcher, Task<T>> send)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System with { Account = account };
        return await send(scope.ServiceProvider.GetRequiredService<IDispatcher>());
    }
}
