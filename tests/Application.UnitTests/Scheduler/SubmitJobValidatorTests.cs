using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;

namespace FogCompute.Application.UnitTests.Scheduler;

/// <summary>Each field of a submit, one step outside its range and at its edges.</summary>
public sealed class SubmitJobValidatorTests
{
    private static readonly SubmitJobCommand Valid = new() { Name = "test-job" };
    private static readonly string Sha = new('a', 64);

    private static TestCaseData Case(string label, Func<SubmitJobCommand, SubmitJobCommand> change, string? field = null) =>
        (field is null ? new TestCaseData(change) : new TestCaseData(change, field)).SetArgDisplayNames(label);

    private static SubmitJobCommand With(SubmitJobCommand c, PayloadSpec payload) => c with { Payload = payload };

    private static PayloadSpec Command(params string[] argv) => new() { Kind = PayloadKinds.Command, Argv = argv };

    private static IEnumerable<TestCaseData> Refused =>
    [
        Case("empty name", c => c with { Name = "" }, "name"),
        Case("name of 201", c => c with { Name = new string('x', 201) }, "name"),
        Case("control character in name", c => c with { Name = "a\nb" }, "name"),
        Case("unknown tier", c => c with { SlaTier = (SlaTier)9 }, "sla_tier"),
        Case("no cores", c => c with { CpuRequired = 0 }, "cpu_required"),
        Case("negative cores", c => c with { CpuRequired = -4 }, "cpu_required"),
        Case("too many cores", c => c with { CpuRequired = 1024.01 }, "cpu_required"),
        Case("cores not a number", c => c with { CpuRequired = double.NaN }, "cpu_required"),
        Case("no memory", c => c with { MemoryRequired = 0 }, "memory_required"),
        Case("too much memory", c => c with { MemoryRequired = 16_777_217 }, "memory_required"),
        Case("negative GPUs", c => c with { GpuRequired = -1 }, "gpu_required"),
        Case("65 GPUs", c => c with { GpuRequired = 65 }, "gpu_required"),
        Case("no duration", c => c with { DurationEstimate = 0 }, "duration_estimate"),
        Case("more than a week", c => c with { DurationEstimate = 10_081 }, "duration_estimate"),
        Case("negative data", c => c with { DataSizeMb = -1 }, "data_size_mb"),
        Case("priority -1", c => c with { Priority = -1 }, "priority"),
        Case("priority 101", c => c with { Priority = 101 }, "priority"),
        Case("retries -1", c => c with { Retries = -1 }, "retries"),
        Case("retries 21", c => c with { Retries = 21 }, "retries"),
        Case("price 0", c => c with { MaxPrice = 0 }, "max_price"),
        Case("unknown isolation", c => c with { Isolation = (Isolation)7 }, "isolation"),
        Case("unknown network", c => c with { Network = (NetworkNeed)7 }, "network"),
        Case("unknown privacy", c => c with { PrivacyLevel = (PrivacyLevel)7 }, "privacy_level"),
        Case("private", c => c with { PrivacyLevel = PrivacyLevel.Private }, "privacy_level"),
        Case("secret", c => c with { PrivacyLevel = PrivacyLevel.Secret }, "privacy_level"),
        Case("empty key", c => c with { IdempotencyKey = "" }, "idempotency-key"),
        Case("key of 256", c => c with { IdempotencyKey = new string('k', 256) }, "idempotency-key"),
        Case("array of 0", c => c with { Array = new ArraySpec { Count = 0 } }, "array.count"),
        Case("nothing at once", c => c with { Array = new ArraySpec { Count = 5, MaxConcurrent = 0 } }, "array.max_concurrent"),
        Case("more at once than an array has", c => c with { Array = new ArraySpec { Count = 5, MaxConcurrent = 1_000_001 } }, "array.max_concurrent"),
        Case("array of 1 000 001", c => c with { Array = new ArraySpec { Count = 1_000_001 } }, "array.count"),
        Case("dependency named twice", c => c with { DependsOn = [Guid.Empty, Guid.Empty] }, "depends_on"),
        Case("257 dependencies", c => c with { DependsOn = [.. Enumerable.Range(0, 257).Select(i => new Guid(i, 0, 0, new byte[8]))] }, "depends_on"),
        Case("input out of the folder", c => c with { Inputs = [new InputSpec { Path = "../etc/passwd", Sha256 = Sha }] }, "inputs[0].path"),
        Case("absolute input", c => c with { Inputs = [new InputSpec { Path = "/etc/passwd", Sha256 = Sha }] }, "inputs[0].path"),
        Case("input with backslash", c => c with { Inputs = [new InputSpec { Path = "a\\b", Sha256 = Sha }] }, "inputs[0].path"),
        Case("second input without digest", c => c with { Inputs = [new InputSpec { Path = "a", Sha256 = Sha }, new InputSpec { Path = "b", Sha256 = "abc" }] }, "inputs[1].sha256"),
        Case("upper-case digest", c => c with { Inputs = [new InputSpec { Path = "a", Sha256 = Sha.ToUpperInvariant() }] }, "inputs[0].sha256"),
        Case("two inputs at one path", c => c with { Inputs = [new InputSpec { Path = "a", Sha256 = Sha }, new InputSpec { Path = "a", Sha256 = Sha }] }, "inputs"),
        Case("output out of the folder", c => c with { Outputs = ["ok.txt", "../*"] }, "outputs[1]"),
        Case("output with empty part", c => c with { Outputs = ["a//b"] }, "outputs[0]"),
        Case("65 outputs", c => c with { Outputs = [.. Enumerable.Range(0, 65).Select(i => $"x{i}")] }, "outputs"),
        Case("wall of 0", c => c with { Limits = new LimitsSpec { WallSeconds = 0 } }, "limits.wall_seconds"),
        Case("wall above a week", c => c with { Limits = new LimitsSpec { WallSeconds = 604_801 } }, "limits.wall_seconds"),
        Case("queue of 0", c => c with { Limits = new LimitsSpec { QueueSeconds = 0 } }, "limits.queue_seconds"),
        Case("stage-in above a day", c => c with { Limits = new LimitsSpec { StageInSeconds = 86_401 } }, "limits.stage_in_seconds"),
        Case("stage-out of 0", c => c with { Limits = new LimitsSpec { StageOutSeconds = 0 } }, "limits.stage_out_seconds"),
        Case("memory limit below 1 MiB", c => c with { Limits = new LimitsSpec { MemoryBytes = (1 << 20) - 1 } }, "limits.memory_bytes"),
        Case("negative disk", c => c with { Limits = new LimitsSpec { DiskBytes = -1 } }, "limits.disk_bytes"),
        Case("negative output", c => c with { Limits = new LimitsSpec { OutputBytes = -1 } }, "limits.output_bytes"),
        Case("no process", c => c with { Limits = new LimitsSpec { Processes = 0 } }, "limits.processes"),
        Case("33 labels", c => c with { Constraints = new ConstraintsSpec { Labels = [.. Enumerable.Range(0, 33).Select(i => $"l{i}")] } }, "constraints.labels"),
        Case("empty region", c => c with { Constraints = new ConstraintsSpec { Regions = [""] } }, "constraints.regions"),
        Case("excluded id of 256", c => c with { Constraints = new ConstraintsSpec { ExcludeDevices = [new string('d', 256)] } }, "constraints.exclude_devices"),
        Case("unknown payload", c => With(c, new PayloadSpec { Kind = "magic" }), "payload.kind"),
        Case("builtin without kernel", c => With(c, new PayloadSpec { Kind = PayloadKinds.Builtin }), "payload.kernel"),
        Case("unknown kernel", c => With(c, new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = "mine-coins" }), "payload.kernel"),
        Case("infinite parameter", c => With(c, new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Sleep, Parameters = new Dictionary<string, double> { ["seconds"] = double.PositiveInfinity } }), "payload.parameters"),
        Case("command without argv", c => With(c, new PayloadSpec { Kind = PayloadKinds.Command }), "payload.argv"),
        Case("command of nothing", c => With(c, Command("")), "payload.argv"),
        Case("257 arguments", c => With(c, Command([.. Enumerable.Repeat("x", 257)])), "payload.argv"),
        Case("NUL in argv", c => With(c, Command("echo", "a\0b")), "payload.argv"),
        Case("variable FOG_X", c => With(c, Command("env") with { Env = new Dictionary<string, string> { ["FOG_X"] = "1" } }), "payload.env"),
        Case("variable with a dash", c => With(c, Command("env") with { Env = new Dictionary<string, string> { ["A-B"] = "1" } }), "payload.env"),
        Case("stdin too long", c => With(c, Command("cat") with { Stdin = new string('x', 262_145) }), "payload.stdin"),
        Case("wasm without module", c => With(c, new PayloadSpec { Kind = PayloadKinds.Wasm }), "payload.module"),
        Case("wasm with network", c => With(c, new PayloadSpec { Kind = PayloadKinds.Wasm, Module = Sha }) with { Network = NetworkNeed.Full }, "network"),
        Case("container without image", c => With(c, new PayloadSpec { Kind = PayloadKinds.Container }), "payload.image"),
    ];

    [TestCaseSource(nameof(Refused))]
    public void Names_the_field_that_is_wrong_and_no_other(Func<SubmitJobCommand, SubmitJobCommand> change, string field)
    {
        var failures = new SubmitJobValidator().Validate(change(Valid)).Errors;
        Assert.That(failures.Select(f => WireNames.Of(f.PropertyName)).Distinct(), Is.EqualTo(new[] { field }));
        Assert.That(failures.Select(f => f.ErrorMessage), Has.None.Empty);
    }

    private static IEnumerable<TestCaseData> Taken =>
    [
        Case("only a name", c => c),
        Case("the documented gold job", c => c with { SlaTier = SlaTier.Gold, CpuRequired = 4.0, MemoryRequired = 8192 }),
        Case("least of all", c => c with { Name = "x", CpuRequired = 0.01, MemoryRequired = 1, DurationEstimate = 0.001, Priority = 0, Retries = 0, MaxPrice = 0.000001m, Array = new ArraySpec { Count = 1, MaxConcurrent = 1 } }),
        Case("most of all", c => c with { Name = new string('x', 200), CpuRequired = 1024, MemoryRequired = 16_777_216, GpuRequired = 64, DurationEstimate = 10_080, Priority = 100, Retries = 20, MaxPrice = 1_000_000, Array = new ArraySpec { Count = 1_000_000, MaxConcurrent = 1_000_000 } }),
        Case("every builtin kernel", c => With(c, new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.All[^1], Parameters = new Dictionary<string, double> { ["x"] = 1 } })),
        Case("a command", c => With(c, Command("sh", "-c", "echo hi") with { Env = new Dictionary<string, string> { ["HOME"] = "/work" }, Stdin = "" }) with { Outputs = ["*.txt", "out/**"] }),
        Case("a wasm module", c => With(c, new PayloadSpec { Kind = PayloadKinds.Wasm, Module = Sha, Args = ["a"] })),
        Case("limits", c => c with { Limits = new LimitsSpec { WallSeconds = 604_800, MemoryBytes = 1 << 20, DiskBytes = 0, OutputBytes = 0, Processes = 1 } }),
        Case("constraints", c => c with { Constraints = new ConstraintsSpec { Labels = ["ssd"], Regions = ["eu"], ExcludeDevices = ["d1"] } }),
        Case("a key", c => c with { IdempotencyKey = new string('k', 255) }),
    ];

    [TestCaseSource(nameof(Taken))]
    public void Takes_what_is_within_the_ranges(Func<SubmitJobCommand, SubmitJobCommand> change) =>
        Assert.That(new SubmitJobValidator().Validate(change(Valid)).Errors.Select(f => $"{f.PropertyName}: {f.ErrorMessage}"), Is.Empty);

    [Test]
    public void Every_builtin_kernel_is_taken()
    {
        foreach (var kernel in BuiltinKernels.All)
            Assert.That(new SubmitJobValidator().Validate(With(Valid, new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = kernel })).IsValid, Is.True, kernel);
    }
}
