namespace FogCompute.Domain.Scheduler.Verification;

/// <summary>Payloads that keep their state and ask to be started again from it. Their restarts cost no retries, so those that get nowhere are counted.</summary>
public static class Checkpoints
{
    /// <summary>Reason of an attempt that ended because its payload asked to be started again.</summary>
    public const string Asked = "checkpointed";

    /// <summary>Reason of an attempt whose checkpoint could not be packed or restored.</summary>
    public const string Invalid = "checkpoint_invalid";

    /// <summary>Reason of a task whose payload only ever asks to be started again.</summary>
    public const string Loop = "checkpoint_loop";

    /// <summary>A run shorter than this that ends with a checkpoint got nowhere, as one whose checkpoint is the one it started from, or is not taken over.</summary>
    public static readonly TimeSpan LeastRun = TimeSpan.FromSeconds(1);

    /// <summary>Restarts in a row that got nowhere; one more fails the task.</summary>
    public const int MostIdle = 5;
}
