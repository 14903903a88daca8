using System.Diagnostics;
using FogCompute.Infrastructure.Persistence.Embedded;
using Microsoft.Extensions.Logging.Abstractions;

namespace FogCompute.Testing;

/// <summary>
/// A second process for tests.
/// <list type="bullet">
/// <item><c>hold HOME</c>: uses the embedded database of that home until standard input ends; prints "ready" and the connection string.</item>
/// <item><c>cluster</c>: runs a throw-away server until standard input ends; prints the value for FOG_TEST_PG.</item>
/// </list>
/// </summary>
public static class TestProgram
{
    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["hold", var home]:
            {
                await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(home) { Durable = false }, NullLogger.Instance);
                await Console.Out.WriteLineAsync("ready " + postgres.ConnectionString);
                await Console.In.ReadToEndAsync();
                return 0;
            }
            case ["cluster"]:
            {
                await using var cluster = await TestCluster.StartAsync();
                await Console.Out.WriteLineAsync(cluster.ConnectionString);
                await Console.In.ReadToEndAsync();
                return 0;
            }
            default:
                await Console.Error.WriteLineAsync("usage: hold HOME | cluster");
                return 2;
        }
    }

    /// <summary>Starts this program in a process of its own, with the runtime settings of the running test assembly.</summary>
    public static Process Start(params string[] arguments)
    {
        var folder = AppContext.BaseDirectory;
        var settings = Directory.GetFiles(folder, "*.Tests.runtimeconfig.json").Concat(Directory.GetFiles(folder, "*Tests.runtimeconfig.json")).First();
        var start = new ProcessStartInfo(
            Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
            ["exec", "--runtimeconfig", settings, "--depsfile", settings.Replace(".runtimeconfig.", ".deps.", StringComparison.Ordinal), typeof(TestProgram).Assembly.Location, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("dotnet could not be started.");
    }
}
