using System.Runtime.InteropServices;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Processes;

/// <summary>Where the control plane and the agent lie, seen from this program.</summary>
public sealed record ProductBinaries(string Dotnet, string Api, string Node)
{
    private const string ApiDll = "FogCompute.Api.dll";
    private const string NodeDll = "fog-node.dll";

    /// <summary>
    /// Looks, in this order, at FOG_API_DLL / FOG_NODE_DLL, beside this program (an installed copy), and at the places a build puts them
    /// (<c>bin/Cli/release</c> → <c>bin/Api/release</c>, <c>src/Cli/bin/Release/net10.0</c> → <c>src/Api/bin/Release/net10.0</c>).
    /// </summary>
    public static ProductBinaries Find(CliHost host) => new(FindDotnet(), Find(host, "FOG_API_DLL", "Api", ApiDll), FindNode(host));

    /// <summary>Only the agent, for commands that need no control plane.</summary>
    public static string FindNode(CliHost host) => Find(host, "FOG_NODE_DLL", "Node", NodeDll);

    /// <summary>The runtime that runs this program, else the one on PATH.</summary>
    public static string FindDotnet()
    {
        if (Environment.ProcessPath is { } self && Path.GetFileNameWithoutExtension(self) == "dotnet")
            return self;
        // …/shared/Microsoft.NETCore.App/10.0.x/ → …/dotnet
        var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        var beside = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        return File.Exists(beside) ? beside : "dotnet";
    }

    private static string Find(CliHost host, string variable, string project, string dll)
    {
        if (host.Variable(variable) is { } set)
        {
            return File.Exists(set)
                ? Path.GetFullPath(set)
                : throw new CliException(ExitCodes.Error, $"{variable} names {set}, which does not exist.", "Correct or unset it.");
        }
        var here = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar);
        string[] candidates =
        [
            Path.Combine(here, dll),
            Path.Combine(here, "..", "..", project, Path.GetFileName(here), dll),
            Path.Combine(here, "..", "..", "..", "..", project, "bin", Path.GetFileName(Path.GetDirectoryName(here)) ?? "", Path.GetFileName(here), dll),
        ];
        return candidates.Where(File.Exists).Select(Path.GetFullPath).FirstOrDefault()
            ?? throw new CliException(ExitCodes.Error, $"{dll} is not built (looked beside {here} and in the build folders).",
                "Call the ./fog script in the root of the repository: it builds what is missing.");
    }
}
