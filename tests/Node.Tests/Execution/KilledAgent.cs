using FogCompute.Node.Execution;
using FogCompute.Node.Tests.Execution;
using FogCompute.Protocol;

/// <summary>
/// Runs in a process of its own, which a test then kills with SIGKILL: the runtime calls it before <c>fog-node</c>'s entry point when
/// <c>DOTNET_STARTUP_HOOKS</c> names this assembly. Runs one payload on the state folder <c>FOG_TEST_STATE</c> and never comes back.
/// </summary>
#pragma warning disable CA1050, MA0047, RCS1110 // The runtime looks for this very name outside any namespace.
internal static class StartupHook
#pragma warning restore CA1050, MA0047, RCS1110
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable("FOG_TEST_STATE") is { } state)
            RunAsync(state, Environment.GetEnvironmentVariable("FOG_TEST_SLEEP")!).GetAwaiter().GetResult();
    }

    private static async Task RunAsync(string state, string sleep)
    {
        await using var executor = await AttemptExecutor.CreateAsync(new ExecutorOptions { StateFolder = state }, TimeProvider.System, CancellationToken.None);
        var lease = ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["sh", "-c", $"setsid sleep {sleep} & sleep {sleep}"] });
        await executor.RunAsync(new ExecutionRequest(lease, Path.Combine(state, "work"), Path.Combine(state, "log"), null), CancellationToken.None);
    }
}
