using System.Runtime.InteropServices;
using FogCompute.Cli;
using FogCompute.Cli.Output;

using var stop = new CancellationTokenSource();

// Ctrl-C, kill and a closed terminal all mean the same: stop what was started, then end. The default would end us at once and leave children.
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);

return await FogCommandLine.RunAsync(args, CliHost.System(), stop.Token);
