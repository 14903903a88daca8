using FogCompute.Node;

// The only place that names the executor: everything else sees IAttemptExecutor.
ExecutorFactory executors = (_, _, _, _) =>
    throw new AgentException(ExitCodes.Error, "This build of fog-node has no executor and can run nothing. Build it from a commit that contains src/Node/Execution/AttemptExecutor.cs.");

return await CommandLine.InvokeAsync(args, executors, TimeProvider.System);
