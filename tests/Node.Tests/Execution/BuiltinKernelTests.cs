using System.Diagnostics;
using System.Text;
using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Builtin;
using FogCompute.Protocol;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Node.Tests.Execution;

public sealed class BuiltinKernelTests
{
    private ExecutionBench _bench = null!;

    [OneTimeSetUp]
    public async Task Open() => _bench = await ExecutionBench.OpenAsync(o => o with { BubblewrapPath = "/nonexistent/bwrap", NodePath = "/nonexistent/node", WasmtimePath = "/nonexistent/wasmtime" });

    [OneTimeTearDown]
    public async Task Close() => await _bench.DisposeAsync();

    [Test]
    public async Task Noop_succeeds_without_touching_the_disk()
    {
        var result = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.Noop));
        Assert.That((result.Outcome, result.ExitCode, result.Outputs.Count), Is.EqualTo((AttemptOutcomes.Succeeded, (int?)0, 0)));
        Assert.That(Directory.Exists(_bench.LastWork) || Directory.Exists(_bench.LastLog), Is.False);
    }

    [Test]
    public async Task Noop_costs_less_than_20_microseconds()
    {
        var request = new ExecutionRequest(ExecutionBench.Builtin(BuiltinKernels.Noop), "/nonexistent/work", "/nonexistent/log", null);
        const int rounds = 2_000;
        for (var i = 0; i < 5 * rounds; i++)
            await _bench.Executor.RunAsync(request, CancellationToken.None);
        // The best of many short series: some of them nobody disturbs.
        var each = double.MaxValue;
        for (var series = 0; series < 50; series++)
        {
            var watch = Stopwatch.StartNew();
            for (var i = 0; i < rounds; i++)
                await _bench.Executor.RunAsync(request, CancellationToken.None);
            each = Math.Min(each, watch.Elapsed.TotalMicroseconds / rounds);
        }
        TestContext.Out.WriteLine($"noop: {each:F3} µs");
        Assert.That(each, Is.LessThan(20));
    }

    [Test]
    public async Task Sleep_waits_and_can_be_stopped()
    {
        var slept = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.Sleep, ("seconds", 0.2)));
        Assert.That(slept.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(slept.Wall, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(0.19)));

        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var stopped = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.Sleep, ("seconds", 86_400)), stop: stop.Token);
        Assert.That((stopped.Outcome, stopped.Reason), Is.EqualTo((AttemptOutcomes.Cancelled, ExecutionReasons.Cancelled)));
    }

    [TestCase(BuiltinKernels.Sleep, "seconds", 1000)]
    [TestCase(BuiltinKernels.MandelbrotTile, "max_iterations", 10_000_000)]
    public async Task Kernels_end_at_the_wall_limit(string kernel, string parameter, double value)
    {
        var lease = ExecutionBench.Builtin(kernel, (parameter, value), ("centre_x", 0), ("span", 0.01)).With(l => l with { WallSeconds = 1 });
        var result = await _bench.Run(lease);
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.TimedOut, ExecutionReasons.WallLimit)));
        Assert.That(result.Wall, Is.LessThan(TimeSpan.FromSeconds(20)));
    }

    [TestCase(BuiltinKernels.Sleep, "seconds", -1)]
    [TestCase(BuiltinKernels.Sleep, "seconds", 86_401)]
    [TestCase(BuiltinKernels.Sleep, "seconds", double.NaN)]
    [TestCase(BuiltinKernels.MandelbrotTile, "width", 0)]
    [TestCase(BuiltinKernels.MandelbrotTile, "width", 1.5)]
    [TestCase(BuiltinKernels.MandelbrotTile, "columns", 1e9)]
    [TestCase(BuiltinKernels.MandelbrotTile, "columns", 1, Description = "one column and eight rows leave no tile for task 63")]
    [TestCase(BuiltinKernels.MandelbrotTile, "span", double.PositiveInfinity)]
    public async Task Kernels_refuse_parameters_out_of_range(string kernel, string parameter, double value)
    {
        var result = await _bench.Run(ExecutionBench.Builtin(kernel, (parameter, value)) with { TaskIndex = 63 });
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ParameterInvalid)));
        Assert.That(result.Message, Does.Contain(parameter).Or.Contain("no tile"));
    }

    [Test]
    public async Task An_unknown_kernel_or_kind_or_isolation_is_declined()
    {
        var unknown = await _bench.Run(ExecutionBench.Builtin("make-coffee"));
        Assert.That((unknown.Outcome, unknown.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.KernelUnknown)));
        var container = await _bench.Run(ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Container, Image = "x" }));
        Assert.That((container.Outcome, container.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.RuntimeMissing)));
        var strange = await _bench.Run(ExecutionBench.Lease(new PayloadSpec { Kind = "quantum" }));
        Assert.That((strange.Outcome, strange.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.RuntimeMissing)));
        var strong = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.Noop) with { Isolation = IsolationLevels.Wasm });
        Assert.That((strong.Outcome, strong.Reason), Is.EqualTo((AttemptOutcomes.Declined, ExecutionReasons.IsolationUnavailable)));
    }

    [Test]
    public async Task Mandelbrot_tile_has_its_known_digest()
    {
        var result = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.MandelbrotTile) with { TaskIndex = 27 });
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message);
        var file = result.Outputs.Single();
        Assert.Multiple(() =>
        {
            Assert.That(file.Path, Is.EqualTo("tile.pgm"));
            Assert.That(file.Size, Is.EqualTo("P5\n128 128\n255\n".Length + 128 * 128));
            // Every machine must find the same bits; a change here breaks agreement between old and new agents.
            Assert.That(file.Sha256, Is.EqualTo("978aa6a02f2696f9bb27771f27513982700a49c199f87c7aec53ded5d7db06c7"));
            Assert.That(result.Cpu, Is.GreaterThan(TimeSpan.Zero));
        });
    }

    /// <summary>Against the obvious computation: complex numbers, one pixel at a time, no tiles.</summary>
    [Test]
    public async Task Mandelbrot_tiles_make_up_the_whole_picture()
    {
        const int width = 50, height = 37, columns = 3, rows = 4, most = 60;
        var picture = new byte[width * height];
        for (var index = 0; index < columns * rows; index++)
        {
            var result = await _bench.Run(ExecutionBench.Builtin(
                BuiltinKernels.MandelbrotTile, ("width", width), ("height", height), ("columns", columns), ("rows", rows), ("max_iterations", most)) with { TaskIndex = index });
            var bytes = await File.ReadAllBytesAsync(result.Outputs.Single().AbsolutePath);
            var size = Encoding.ASCII.GetString(bytes, 3, 10).Split('\n')[0].Split(' ').Select(int.Parse).ToArray();
            int left = index % columns * width / columns, top = index / columns * height / rows;
            for (var y = 0; y < size[1]; y++)
                bytes.AsSpan(bytes.Length - size[0] * (size[1] - y), size[0]).CopyTo(picture.AsSpan((top + y) * width + left));
        }
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var c = new System.Numerics.Complex(-0.65 + (x + 0.5 - width / 2.0) * 2.8 / width, (y + 0.5 - height / 2.0) * 2.8 / width);
                var z = System.Numerics.Complex.Zero;
                var steps = 0;
                while (steps < most && z.Real * z.Real + z.Imaginary * z.Imaginary <= 4)
                    (z, steps) = (z * z + c, steps + 1);
                Assert.That(picture[y * width + x] == 0, Is.EqualTo(steps == most), $"pixel {x},{y}");
            }
    }

    [FsCheck.NUnit.Property(MaxTest = 200)]
    public Property Tiles_cover_the_image_without_gap_or_overlap(PositiveInt w, PositiveInt h, PositiveInt c, PositiveInt r)
    {
        int columns = Math.Min(c.Get, w.Get), rows = Math.Min(r.Get, h.Get);
        var payload = ExecutionBench.Builtin(BuiltinKernels.MandelbrotTile, ("width", w.Get), ("height", h.Get), ("columns", columns), ("rows", rows)).Payload;
        var tiles = Enumerable.Range(0, columns * rows).Select(i => MandelbrotTile.From(payload, i)).ToList();
        var area = tiles.Sum(t => (long)t.Width * t.Height);
        var rowsJoin = tiles.Index().All(t => t.Index % columns == 0 ? t.Item.Left == 0 : t.Item.Left == tiles[t.Index - 1].Left + tiles[t.Index - 1].Width);
        return (area == (long)w.Get * h.Get && rowsJoin && tiles.All(t => t.Width > 0 && t.Height > 0)).ToProperty();
    }

    [Test]
    public async Task A_tile_beyond_the_output_limit_is_refused_before_it_is_computed()
    {
        var result = await _bench.Run(ExecutionBench.Builtin(BuiltinKernels.MandelbrotTile, ("columns", 1), ("rows", 1)).With(l => l with { OutputBytes = 1000 }) with { TaskIndex = 0 });
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.OutputLimit)));
    }

    [Test]
    public async Task Benchmark_digest_is_the_same_each_time_and_rates_are_measured()
    {
        var lease = ExecutionBench.Builtin(BuiltinKernels.DeviceBenchmark) with { CpuMillicores = 2000 };
        var results = new[] { await _bench.Run(lease), await _bench.Run(lease) };
        Assert.That(results.Select(r => r.Outcome), Is.All.EqualTo(AttemptOutcomes.Succeeded), results[0].Message);
        Assert.That(results[0].Outputs.Single().Sha256, Is.EqualTo(results[1].Outputs.Single().Sha256));
        Assert.That(results[0].Measurements!["threads"], Is.EqualTo(2));
        foreach (var rate in (string[])["integer_ops_per_second", "flops", "memory_mb_per_second"])
            Assert.That(results[0].Measurements![rate], Is.GreaterThan(100), rate);
        Assert.That(results[0].Cpu, Is.GreaterThan(TimeSpan.FromMilliseconds(20)));
        TestContext.Out.WriteLine(string.Join(' ', results[0].Measurements!) + " " + results[0].Wall);

        var small = await _bench.Run(lease.With(l => l with { MemoryBytes = 100_000 }));
        Assert.That(small.Reason, Is.EqualTo(ExecutionReasons.MemoryLimit));
    }
}
