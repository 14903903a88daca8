using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>
/// The values in force, one copy per process: read again after a second, and as soon as a change is signalled, which the executing process does for itself the
/// moment it has committed. One reader at a time; the others wait for what it finds.
/// </summary>
internal sealed class ParameterCache(ISignals signals, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan MostAge = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _reading = new(1, 1);
    private volatile Entry? _latest;

    /// <param name="read">Reads what is committed, over a connection that the caller has already.</param>
    public async Task<ParameterValues> GetAsync(Func<CancellationToken, Task<ParameterValues>> read, CancellationToken cancel)
    {
        if (Fresh is { } found)
            return found;
        await _reading.WaitAsync(cancel);
        try
        {
            if (Fresh is { } meanwhile)
                return meanwhile;
            // From before the look: a change that is signalled during it may not be in it.
            var ticket = signals.Listen(Topics.Parameters);
            try
            {
                var (at, values) = (time.GetTimestamp(), await read(cancel));
                _latest?.Ticket.Dispose();
                _latest = new Entry(values, at, ticket);
                return values;
            }
            catch
            {
                ticket.Dispose();
                throw;
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Null when somebody must look.</summary>
    public ParameterValues? Fresh => _latest is { } latest && !latest.Ticket.IsSignalled && time.GetElapsedTime(latest.At) < MostAge ? latest.Values : null;

    public void Dispose()
    {
        _latest?.Ticket.Dispose();
        _reading.Dispose();
    }

    private sealed record Entry(ParameterValues Values, long At, ISignalTicket Ticket);
}
