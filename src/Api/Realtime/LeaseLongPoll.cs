using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Common;
using FogCompute.Protocol;

namespace FogCompute.Api.Realtime;

/// <summary>
/// Looks, waits for a signal, looks again. No transaction or connection is held while waiting: a poll that waits costs a few hundred bytes.
/// The ticket is taken before the look, so a lease written in between wakes the wait at once. A control plane that stops answers at once with what there
/// is, also when that is nothing: the device's next poll finds another one.
/// </summary>
public sealed class LeaseLongPoll(IServiceScopeFactory scopes, ISignals signals, CallerContext context, SchedulerOptions options, IHostApplicationLifetime lifetime, TimeProvider time)
{
    public async Task<LeasePollResponse> WaitAsync(DeliverLeasesCommand command, CancellationToken cancel)
    {
        // A device that waits must still be heard of well within its silence limit.
        var wait = TimeSpan.FromSeconds(Math.Clamp(command.WaitSeconds, 0, options.Silence.TotalSeconds / 3));
        var started = time.GetTimestamp();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancel, lifetime.ApplicationStopping);
        while (true)
        {
            using var ticket = signals.Listen(Topics.Device(command.DeviceId));
            var answer = await LookAsync(command, cancel);
            var left = wait - time.GetElapsedTime(started);
            if (answer.Leases.Count > 0 || answer.Revoked.Count > 0 || answer.Notices.Count > 0 || left <= TimeSpan.Zero)
                return answer;
            try
            {
                await ticket.WaitAsync(left, ends.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return answer;
            }
        }
    }

    private async Task<LeasePollResponse> LookAsync(DeliverLeasesCommand command, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = context.Caller;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command, cancel);
    }
}
