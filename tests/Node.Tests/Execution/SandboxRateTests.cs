using System.Diagnostics;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Execution;

/// <summary>Measurements, run by name: what a sandboxed attempt costs beside a bare bubblewrap started by a shell loop with the same namespaces.</summary>
[Explicit("Measures; run it alone with --filter FullyQualifiedName~SandboxRateTests on a quiet machine.")]
public sealed class SandboxRateTests
{
    private const int Count = 300;

    [TestCase(2)]
    [TestCase(4)]
    public async Task Sandboxed_true_reaches_six_tenths_of_bare_bubblewrap(int parallel)
    {
        await using var bench = await ExecutionBench.OpenAsync(o => o with { WarmRunners = 0 });
        await Attempts(bench, parallel, Count / 4);
        var ratios = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            var bare = await Bare(parallel);
            var ours = await Attempts(bench, parallel, Count);
            ratios.Add(ours / bare);
            TestContext.Out.WriteLine($"{parallel} parallel: bare {bare:F0}/s, attempts {ours:F0}/s, ratio {ours / bare:F2}");
        }
        Assert.That(ratios.Max(), Is.GreaterThan(0.6));
    }

    [Test]
    public async Task Wasm_rates()
    {
        await using var bench = await ExecutionBench.OpenAsync();
        var module = Path.Combine(bench.Root, "m.wasm");
        await File.WriteAllBytesAsync(module, WasmModules.Hello("x"));
        foreach (var reuse in (bool[])[false, true])
        {
            var lease = ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Wasm, ReuseRunner = reuse }) with { Isolation = IsolationLevels.Wasm };
            await bench.Run(lease, module: module);
            await Task.Delay(1000);
            var single = Stopwatch.StartNew();
            await bench.Run(lease, module: module);
            var first = single.Elapsed;
            var count = reuse ? 400 : 40;
            var watch = Stopwatch.StartNew();
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (_, stop) => await bench.Run(lease, module, stop: stop));
            TestContext.Out.WriteLine($"reuse {reuse}: one warm task {first.TotalMilliseconds:F1} ms, {count / watch.Elapsed.TotalSeconds:F0} tasks/s at 2 parallel");
            Assert.That(first, Is.LessThan(TimeSpan.FromSeconds(1)));
        }
    }

    private static async Task<double> Attempts(ExecutionBench bench, int parallel, int count)
    {
        var watch = Stopwatch.StartNew();
        var before = Environment.CpuUsage.TotalTime;
        long inside = 0;
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = parallel }, async (_, stop) =>
        {
            var result = await bench.Run(["true"], stop: stop);
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
            Interlocked.Add(ref inside, result.Cpu.Ticks);
        });
        TestContext.Out.WriteLine($"CPU per attempt: agent {(Environment.CpuUsage.TotalTime - before).TotalMilliseconds / count:F2} ms, sandbox {TimeSpan.FromTicks(inside).TotalMilliseconds / count:F2} ms");
        return count / watch.Elapsed.TotalSeconds;
    }

    private static async Task<double> Bare(int parallel)
    {
        var script = $$"""
            for p in $(seq {{parallel}}); do ( i=0; while [ $i -lt {{Count / parallel}} ]; do i=$((i+1));
            bwrap --unshare-all --die-with-parent --new-session --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp true || exit 1
            done ) & done; wait
            """;
        var watch = Stopwatch.StartNew();
        using var shell = Process.Start("sh", ["-c", script]);
        await shell.WaitForExitAsync();
        return Count / parallel * parallel / watch.Elapsed.TotalSeconds;
    }
}
