namespace FogCompute.Infrastructure.Messaging;

/// <summary>A faster way to the other control planes, which may be away at any time and may lose messages.</summary>
internal interface ISignalRelay
{
    bool IsUp { get; }

    /// <summary>Every message that reaches this process, its own among them.</summary>
    event Action<string>? Received;

    /// <summary>False when it did not leave. Never throws for an outage.</summary>
    Task<bool> PublishAsync(string message);
}
