using System.Diagnostics;
using System.Globalization;

namespace FogCompute.Nsga2;

/// <summary>One evolution: time of the generations alone, evaluations in them, objectives of the last population (individuals × objectives).</summary>
internal sealed record Outcome(double Milliseconds, long Evaluations, double[] Objectives);

/// <summary>The C++ program around pagmo2's nsga2 (peer/pagmo_nsga2.cpp): compiled when its source is newer than its binary, then asked line by line.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;

    private Peer(Process process) => _process = process;

    /// <param name="folder">Where the binary is kept between runs.</param>
    public static async Task<Peer> StartAsync(string folder)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "peer", "pagmo_nsga2.cpp");
        var binary = Path.Combine(folder, "pagmo_nsga2");
        if (!File.Exists(binary) || File.GetLastWriteTimeUtc(binary) < File.GetLastWriteTimeUtc(source))
        {
            Directory.CreateDirectory(folder);
            using var compiler = Process.Start(new ProcessStartInfo(
                "g++", ["-O3", "-march=native", "-std=c++17", source, "-o", binary, "-lpagmo", "-lboost_serialization", "-ltbb", "-lpthread"]))!;
            await compiler.WaitForExitAsync();
            if (compiler.ExitCode != 0)
                throw new InvalidOperationException($"g++ ended with {compiler.ExitCode} (see above), so there is no peer to compare with. ./dev bench nsga2 installs what it needs on Debian: g++ and libpagmo-dev.");
        }
        return new Peer(Process.Start(new ProcessStartInfo(binary) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false })!);
    }

    public Outcome Run(string problem, int population, int generations, int seed)
    {
        _process.StandardInput.WriteLine($"{problem} {population} {generations} {seed}");
        _process.StandardInput.Flush();
        var head = ReadNumbers();
        var objectives = new List<double>();
        for (var row = 0; row < (int)head[2]; row++)
            objectives.AddRange(ReadNumbers());
        return new Outcome(head[0] / 1e6, (long)head[1], [.. objectives]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private double[] ReadNumbers()
    {
        var line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The peer ended without an answer; what it said is above.");
        return [.. line.Split(' ').Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
    }
}
