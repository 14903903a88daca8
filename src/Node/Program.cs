using FogCompute.Node;
using FogCompute.Node.Execution;

// The only place that names the executor: everything else sees IAttemptExecutor.
return await CommandLine.InvokeAsync(
    args,
    async (folder, allowProcessIsolation, clock, stop) =>
        await AttemptExecutor.CreateAsync(new ExecutorOptions { StateFolder = folder, AllowProcessIsolation = allowProcessIsolation }, clock, stop),
    TimeProvider.System);
