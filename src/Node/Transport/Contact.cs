namespace FogCompute.Node.Transport;

/// <summary>
/// Whether the control plane answers. Logs each change once, however many loops notice it, and ends the agent when the device key is refused.
/// </summary>
internal sealed class Contact(TimeProvider clock, NodeLog log, Action<string> rejected)
{
    private readonly Lock _gate = new();
    private DateTimeOffset? _lostSince;

    public DateTimeOffset? LastAnswer { get; private set; }

    /// <summary>Why there is no contact; null while there is.</summary>
    public string? Trouble { get; private set; }

    public void Made()
    {
        lock (_gate)
        {
            LastAnswer = clock.GetUtcNow();
            if (_lostSince is { } since)
                log.Info("contact_restored", "The control plane answers again.", ("outage_s", Math.Round((LastAnswer.Value - since).TotalSeconds)));
            _lostSince = null;
            Trouble = null;
        }
    }

    public void Lost(ControlPlaneException error)
    {
        if (error.Fault == ControlPlaneFault.NotAllowed)
        {
            rejected($"{error.Message} The device key is no longer valid: somebody removed or revoked this device. "
                + "Running work was stopped. To lend the machine again, get a new enrolment token and start fog-node with --token.");
            return;
        }
        lock (_gate)
        {
            Trouble = error.Message;
            if (_lostSince is not null)
                return;
            _lostSince = clock.GetUtcNow();
            log.Warning("contact_lost", $"{error.Message} Running work goes on while its leases last; the agent keeps trying.");
        }
    }
}
