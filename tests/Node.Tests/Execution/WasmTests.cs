using System.Text;
using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Execution;

[TestFixture(true)]
[TestFixture(false)]
public sealed class WasmTests(bool controlGroups)
{
    private ExecutionBench _bench = null!;
    private string _modules = "";

    [OneTimeSetUp]
    public async Task Open()
    {
        _bench = await ExecutionBench.OpenAsync(o => o with { UseControlGroups = controlGroups });
        Assert.That(_bench.Executor.Isolation, Does.Contain(IsolationLevels.Wasm), string.Join(' ', _bench.Executor.Findings));
        _modules = Directory.CreateDirectory(Path.Combine(_bench.Root, "modules")).FullName;
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        await _bench.DisposeAsync();
        Assert.That(ExecutionBench.ProcessesNaming(_bench.Root), Is.Empty, "processes left behind");
        Assert.That(ExecutionBench.ProcessesNaming("wasi-runner.mjs"), Is.Empty, "runners left behind");
        Assert.That(_bench.ControlGroupFolders(), Is.Empty, "control groups left behind");
    }

    [Test]
    public async Task Runs_a_module_that_prints()
    {
        var result = await Run(WasmModules.Hello("hello fog\n"));
        Assert.That((result.Outcome, result.ExitCode), Is.EqualTo((AttemptOutcomes.Succeeded, (int?)0)), result.Message);
        Assert.That(_bench.Stdout, Is.EqualTo("hello fog\n"));
        Assert.That(_bench.Stderr, Is.Empty);
        Assert.That(result.Cpu, Is.GreaterThan(TimeSpan.Zero).Or.EqualTo(TimeSpan.Zero).And.LessThan(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public async Task Copies_standard_input_to_standard_output()
    {
        var result = await Run(WasmModules.Cat(), l => l with { Payload = l.Payload with { Stdin = "line 1\nline 2 äöü" } });
        Assert.That((result.Outcome, _bench.Stdout), Is.EqualTo((AttemptOutcomes.Succeeded, "line 1\nline 2 äöü")), result.Message);
    }

    [Test]
    public async Task Arguments_and_environment_are_the_agreed_ones()
    {
        await Run(WasmModules.DumpArguments(), l => l with { Payload = l.Payload with { Args = ["one", "two words"] } });
        Assert.That(_bench.Stdout.Split('\0', StringSplitOptions.RemoveEmptyEntries)[1..], Is.EqualTo((string[])["one", "two words"]));
        await Run(WasmModules.DumpEnvironment(), l => l with { Payload = l.Payload with { Env = new Dictionary<string, string> { ["MINE"] = "1" } } });
        Assert.That(_bench.Stdout.Split('\0', StringSplitOptions.RemoveEmptyEntries).Order(),
            Has.Some.EqualTo("FOG_TASK_INDEX=3").And.Some.EqualTo("MINE=1").And.None.StartsWith("PATH=").And.None.StartsWith("DOTNET"));
    }

    [Test]
    public async Task Exit_codes_and_traps_are_the_payloads_fault()
    {
        var exit = await Run(WasmModules.Exit(7));
        Assert.That((exit.Outcome, exit.Reason, exit.ExitCode), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode, (int?)7)));
        var trap = await Run(WasmModules.Trap());
        Assert.That((trap.Outcome, trap.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode)));
        Assert.That(trap.Message, Does.Contain("unreachable"));
        var rubbish = await Run([1, 2, 3]);
        Assert.That((rubbish.Outcome, rubbish.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode)));
    }

    [Test]
    public async Task A_module_may_ask_to_be_started_again()
    {
        var again = await Run(WasmModules.Exit(85), l => l with { Checkpoint = new LeaseCheckpoint("kept", null, true) });
        Assert.That((again.Outcome, again.Reason, again.ExitCode), Is.EqualTo((AttemptOutcomes.Preempted, ExecutionReasons.Checkpointed, (int?)85)));
        await Run(WasmModules.DumpEnvironment(), l => l with { Checkpoint = new LeaseCheckpoint("kept", null, true) });
        Assert.That(_bench.Stdout.Split('\0'), Does.Contain("FOG_CHECKPOINT_DIR=/work/kept"));
    }

    [Test]
    public async Task An_endless_loop_ends_at_the_wall_limit()
    {
        var result = await Run(WasmModules.Loop(), l => l.With(x => x with { WallSeconds = 1 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.TimedOut, ExecutionReasons.WallLimit)));
        Assert.That(result.Wall, Is.LessThan(TimeSpan.FromSeconds(15)));
    }

    [Test]
    public async Task It_stops_when_told_to()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var result = await Run(WasmModules.Loop(), stop: stop.Token);
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Cancelled, ExecutionReasons.Cancelled)));
    }

    [Test]
    public async Task A_memory_hog_is_stopped()
    {
        var result = await Run(WasmModules.GrowAndTouch(), l => l.With(x => x with { MemoryBytes = 64 << 20, WallSeconds = 15 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.MemoryLimit)), $"{result.ExitCode} {result.Message}");
    }

    [Test]
    public async Task An_output_flood_is_stopped()
    {
        var result = await Run(WasmModules.Flood(), l => l.With(x => x with { OutputBytes = 1 << 20 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.OutputLimit)));
        Assert.That(new FileInfo(Path.Combine(_bench.LastLog, "stdout")).Length, Is.EqualTo(1 << 20));
    }

    [Test]
    public async Task Files_come_from_and_go_to_the_work_folder()
    {
        var result = await Run(WasmModules.WriteFile("out.txt", "written"), l => l.Collecting("out.txt", "input"), work =>
            File.WriteAllText(Path.Combine(work, "input"), "staged"));
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + _bench.Stderr);
        Assert.That(result.Outputs.Select(o => File.ReadAllText(o.AbsolutePath)), Is.EqualTo((string[])["staged", "written"]));
        Assert.That(result.Outputs.Select(o => o.AbsolutePath), Is.All.StartsWith(_bench.LastWork));
    }

    [TestCase("/etc/passwd")]
    [TestCase("../escaped")]
    [TestCase("../../usr/escaped")]
    public async Task Paths_outside_the_work_folder_are_refused(string path)
    {
        var result = await Run(WasmModules.WriteFile(path, "x"));
        Assert.That((result.Outcome, result.ExitCode), Is.EqualTo((AttemptOutcomes.Failed, (int?)1)), "path_open must be refused");
    }

    [Test]
    public async Task A_runner_is_used_again_only_by_the_job_that_allows_it()
    {
        var job = Guid.CreateVersion7();
        LeaseMessage Reusing(LeaseMessage lease) => lease with { JobId = job, Payload = lease.Payload with { ReuseRunner = true } };
        var times = new List<TimeSpan>();
        for (var i = 0; i < 15; i++)
        {
            var result = await Run(WasmModules.WriteFile($"f{i}", $"{i}"), l => Reusing(l).Collecting("*"));
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message);
            Assert.That(result.Outputs.Select(o => o.Path), Is.EqualTo((string[])[$"f{i}"]), "files of the task before are gone");
            times.Add(result.Wall);
        }
        TestContext.Out.WriteLine("reused: " + string.Join(' ', times.Select(t => $"{t.TotalMilliseconds:F1} ms")));
        Assert.That(times.Skip(1).Min(), Is.LessThan(TimeSpan.FromMilliseconds(40)), "no new engine was started");
        // A task that fails hard does not spoil the next one.
        await Run(WasmModules.Loop(), l => Reusing(l).With(x => x with { WallSeconds = 1 }));
        await Run(WasmModules.Trap(), Reusing);
        Assert.That((await Run(WasmModules.Hello("ok"), Reusing)).Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_bench.Stdout, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Warm_runners_serve_many_tasks_in_parallel()
    {
        var module = Save(WasmModules.Hello("x"));
        var results = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => _bench.Run(Lease(), module: module)));
        Assert.That(results.Select(r => r.Outcome), Is.All.EqualTo(AttemptOutcomes.Succeeded), results[0].Message);
    }

    [Test]
    public async Task A_module_that_was_not_staged_is_the_devices_fault()
    {
        Assert.That((await _bench.Run(Lease())).Outcome, Is.EqualTo(AttemptOutcomes.DeviceError));
    }

    private static LeaseMessage Lease() => ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Wasm, Module = new string('0', 64) }) with { Isolation = IsolationLevels.Wasm };

    private Task<ExecutionResult> Run(byte[] module, Func<LeaseMessage, LeaseMessage>? change = null, Action<string>? stage = null, CancellationToken stop = default) =>
        _bench.Run(change?.Invoke(Lease()) ?? Lease(), Save(module), stage, stop);

    private string Save(byte[] module)
    {
        var path = Path.Combine(_modules, Guid.NewGuid().ToString("N") + ".wasm");
        File.WriteAllBytes(path, module);
        return path;
    }
}

/// <summary>Uses an engine of our own making in place of wasmtime, which the build machine does not have: checks what it is given, not what it computes.</summary>
public sealed class WasmtimeTests
{
    [Test]
    public async Task Wasmtime_gets_the_module_its_folder_arguments_and_environment_in_the_sandbox()
    {
        var folder = Directory.CreateTempSubdirectory("fog-wasmtime-").FullName;
        try
        {
            var engine = Path.Combine(folder, "wasmtime");
            ExecutionBench.WriteProgram(engine, "#!/bin/sh\n[ \"$1\" = --version ] && echo 'wasmtime 25.0.1 (abc)' && exit\nprintf '%s\\n' \"$@\"; id -u; ls /; cat /opt/module.wasm; cat\n");
            var module = Path.Combine(folder, "m.wasm");
            await File.WriteAllTextAsync(module, "MODULE");
            await using var bench = await ExecutionBench.OpenAsync(o => o with { WasmtimePath = engine });
            var lease = ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Wasm, Args = ["-x", "y z"], Stdin = "IN" }) with { Isolation = IsolationLevels.Wasm };
            var result = await bench.Run(lease, module: module);
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + bench.Stderr);
            Assert.That(bench.Stdout, Does.StartWith("run\n--dir\n.\n--dir\n.::/work\n").And.Contain("--env\nFOG_TASK_INDEX=3\n")
                .And.Contain("/opt/module.wasm\n-x\ny z\n").And.EndWith("MODULEIN").And.Not.Contain("\nroot\n"));
        }
        finally
        {
            WorkFolders.Remove(folder);
        }
    }
}

/// <summary>Tiny WASI preview 1 modules, assembled by hand: one memory (exported), one function <c>_start</c>.</summary>
internal static class WasmModules
{
    private const byte I32 = 0x7f, I64 = 0x7e;

    // Types: 0 () → (); 1 (i32×4) → i32; 2 (i32) → (); 3 (i32×2) → i32; 4 path_open
    private static readonly byte[] _types =
    [
        5,
        0x60, 0, 0,
        0x60, 4, I32, I32, I32, I32, 1, I32,
        0x60, 1, I32, 0,
        0x60, 2, I32, I32, 1, I32,
        0x60, 9, I32, I32, I32, I32, I32, I64, I64, I32, I32, 1, I32,
    ];

    private static readonly (string Name, byte Type)[] _imports =
        [("fd_write", 1), ("fd_read", 1), ("proc_exit", 2), ("args_get", 3), ("args_sizes_get", 3), ("environ_get", 3), ("environ_sizes_get", 3), ("path_open", 4)];

    private const byte FdWrite = 0, FdRead = 1, ProcExit = 2, ArgsGet = 3, ArgsSizes = 4, EnvironGet = 5, EnvironSizes = 6, PathOpen = 7;

    public static byte[] Hello(string text) => Module([.. Write(1, 16, text.Length)], Data(16, text));

    public static byte[] Exit(int code) => Module([.. Const(code), 0x10, ProcExit], []);

    public static byte[] Trap() => Module([0x00], []);

    public static byte[] Loop() => Module([0x03, 0x40, 0x0c, 0, 0x0b], []);

    public static byte[] Flood() => Module([0x03, 0x40, .. Write(1, 16, 60_000), 0x0c, 0, 0x0b], []);

    /// <summary>Grows by 16 pages and touches all memory by growing zeroed pages with memory.fill, for ever.</summary>
    public static byte[] GrowAndTouch() => Module(
        [0x03, 0x40, .. Const(0), .. Const(1), 0x3f, 0, .. Const(65_536), 0x6c, 0xfc, 0x0b, 0, .. Const(16), 0x40, 0, .. Const(-1), 0x46, 0x0d, 1, 0x0c, 0, 0x0b], [], block: true);

    /// <summary>fd_read(0) into 16, up to 1000 bytes; write what came; until nothing comes.</summary>
    public static byte[] Cat() => Module(
    [
        0x03, 0x40,
        .. Store(0, 16), .. Store(4, 1000), .. Const(0), .. Const(0), .. Const(1), .. Const(8), 0x10, FdRead, 0x1a,
        // length := bytes read
        .. Const(4), .. Const(8), 0x28, 2, 0, 0x36, 2, 0,
        .. Const(1), .. Const(0), .. Const(1), .. Const(12), 0x10, FdWrite, 0x1a,
        .. Const(8), 0x28, 2, 0, 0x0d, 0, 0x0b,
    ], []);

    public static byte[] DumpArguments() => Dump(ArgsSizes, ArgsGet);

    public static byte[] DumpEnvironment() => Dump(EnvironSizes, EnvironGet);

    /// <summary>path_open(first preopen, create+truncate, write) and one fd_write; exits 1 when opening is refused.</summary>
    public static byte[] WriteFile(string path, string text) => Module(
    [
        .. Const(3), .. Const(0), .. Const(16), .. Const(path.Length), .. Const(1 | 8), 0x42, 0xc0, 0x00, 0x42, 0xc0, 0x00, .. Const(0), .. Const(8), 0x10, PathOpen,
        0x04, 0x40, .. Const(1), 0x10, ProcExit, 0x0b,
        .. Store(0, 512), .. Store(4, text.Length), .. Const(8), 0x28, 2, 0, .. Const(0), .. Const(1), .. Const(12), 0x10, FdWrite, 0x1a,
    ], [.. Data(16, path), .. Data(512, text)]);

    private static byte[] Dump(byte sizes, byte get) => Module(
    [
        // count at 0, bytes at 4; pointers from 1024, text from 8192
        .. Const(0), .. Const(4), 0x10, sizes, 0x1a, .. Const(1024), .. Const(8192), 0x10, get, 0x1a,
        .. Store(0, 8192), .. Const(1), .. Const(0), .. Const(1), .. Const(12), 0x10, FdWrite, 0x1a,
    ], []);

    private static byte[] Write(int fd, int at, int length) => [.. Store(0, at), .. Store(4, length), .. Const(fd), .. Const(0), .. Const(1), .. Const(8), 0x10, FdWrite, 0x1a];

    private static byte[] Store(int at, int value) => [.. Const(at), .. Const(value), 0x36, 2, 0];

    private static byte[] Const(int value) => [0x41, .. Signed(value)];

    private static byte[] Data(int at, string text) => [0, .. Const(at), 0x0b, .. Text(text)];

    private static byte[] Module(byte[] code, byte[] data, bool block = false)
    {
        byte[] body = block ? [0, 0x02, 0x40, .. code, 0x0b, 0x0b] : [0, .. code, 0x0b];
        var segments = Segments(data);
        return
        [
            0, (byte)'a', (byte)'s', (byte)'m', 1, 0, 0, 0,
            .. Section(1, _types),
            .. Section(2, [(byte)_imports.Length, .. _imports.SelectMany(i => (byte[])[.. Text("wasi_snapshot_preview1"), .. Text(i.Name), 0, i.Type])]),
            .. Section(3, [1, 0]),
            .. Section(5, [1, 0, 4]),
            .. Section(7, [2, .. Text("memory"), 2, 0, .. Text("_start"), 0, (byte)_imports.Length]),
            .. Section(10, [1, .. Unsigned(body.Length), .. body]),
            .. segments == 0 ? [] : Section(11, [(byte)segments, .. data]),
        ];
    }

    // Each segment starts with its mode 0 and a constant address; there are at most two.
    private static int Segments(byte[] data)
    {
        var count = 0;
        for (var at = 0; at < data.Length; count++)
        {
            at += 2;
            while ((data[at++] & 0x80) != 0) { }
            at++;
            int length = 0, shift = 0;
            byte next;
            do
            {
                next = data[at++];
                length |= (next & 0x7f) << shift;
                shift += 7;
            }
            while ((next & 0x80) != 0);
            at += length;
        }
        return count;
    }

    private static byte[] Section(byte id, byte[] content) => [id, .. Unsigned(content.Length), .. content];

    private static byte[] Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return [.. Unsigned(bytes.Length), .. bytes];
    }

    private static byte[] Unsigned(int value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
            value >>= 7;
        }
        while (value != 0);
        return [.. bytes];
    }

    private static byte[] Signed(int value)
    {
        var bytes = new List<byte>();
        while (true)
        {
            var low = (byte)(value & 0x7f);
            value >>= 7;
            if ((value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0))
            {
                bytes.Add(low);
                return [.. bytes];
            }
            bytes.Add((byte)(low | 0x80));
        }
    }
}
