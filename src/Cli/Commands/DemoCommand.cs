using System.CommandLine;
using FogCompute.Cli.Demo;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog demo</c>: the whole product on this machine in under a minute.</summary>
internal static class DemoCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var keep = new Option<bool>("--keep") { Description = "Keep the demo's folder (database, logs, artifacts)" };
        var picture = new Option<string>("--picture") { Description = "Where the picture goes", DefaultValueFactory = _ => "mandelbrot.png", HelpName = "FILE" };
        var command = new FogCommand("demo",
            "Show everything on this machine: a control plane, three agents, verified work, one agent killed, everybody paid.",
            "fog demo", "fog demo --keep --picture /tmp/m.png")
        {
            keep, picture,
        };
        return command.Runs(globals, invocation =>
            new DemoRun(invocation, invocation.Get(keep), Path.GetFullPath(invocation.Get(picture)!, invocation.Host.CurrentDirectory)).RunAsync());
    }
}
