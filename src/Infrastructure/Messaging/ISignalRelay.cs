namespace FogCompute.Infrastructure.Messaging;

/// <summary>A faster way to the other control planes, which may be away at any time and may lose messages.</summary>
internal interface ISignalRelay
{
    bool IsUp { get; }

    /// <summary>Who gets every message that reaches this process, its own among them; null: nobody.</summary>
    Action<string>? Receiver { set; }

    /// <summary>False when it did not leave. Never throws for an outage.</summary>
    Task<bool> PublishAsync(string message);
}
