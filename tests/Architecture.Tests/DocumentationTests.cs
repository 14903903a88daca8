using System.Reflection;
using System.Text.RegularExpressions;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Node.Execution;
using FogCompute.Node.Policy;
using FogCompute.Protocol;

namespace FogCompute.Architecture.Tests;

/// <summary>Documents that promise to be complete are held to it.</summary>
public sealed class DocumentationTests
{
    private static string Document(string name) => File.ReadAllText(Path.Combine(Code.Root, "docs", name));

    private static IEnumerable<string> Constants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f is { IsLiteral: true } && f.FieldType == typeof(string)).Select(f => (string)f.GetRawConstantValue()!);

    /// <summary>First snake_case literal after each place where code says why something ended or waits.</summary>
    internal static IEnumerable<string> ReasonLiterals(string source) =>
        Places.SelectMany(p => Regex.Matches(source, p, RegexOptions.None, TimeSpan.FromSeconds(5))).Select(m => m.Groups[1].Value);

    private static readonly string[] Places =
    [
        """new(?:\(|\s+WhyReason\()"([a-z]+(?:_[a-z]+)*)",\s*\$?"[A-Z]""",          // new("retry_backoff", "Its next …
        """AttemptState\.\w+, "([a-z]+(?:_[a-z]+)*)", now""",                      // Close(attempt, AttemptState.Rejected, "no_agreement", now)
        """(?:CutShort|Fail)\("([a-z]+(?:_[a-z]+)*)", now""",
        """End\(JobState\.\w+, now, (?:TaskCount == 1 \? )?"([a-z]+(?:_[a-z]+)*)""",
        """string reason = "([a-z]+(?:_[a-z]+)*)""",
        """(?:Lose|Preempt)\((?:attempt, )?(?:[^"\n]*\? )?"([a-z]+(?:_[a-z]+)*)""",
        """\? "device_lost" : "([a-z]+(?:_[a-z]+)*)""",
        """\? "([a-z]+(?:_[a-z]+)*)" : "queue_timeout""",
        """: "(queue_timeout)""",
        """\? "(deadline_passed)""",
        """\? "(no_agent)" : silent""",
        """silent \? "([a-z]+)""",
        """: "(unknown_lease)""",
        """Fault\(AttemptOutcomes\.\w+, "([a-z]+(?:_[a-z]+)*)""",
        """AttemptOutcomes\.\w+, "([a-z]+(?:_[a-z]+)*)"\)?[,;)]""",
        """return \("([a-z]+(?:_[a-z]+)*)",""",
        """\?\? "(policy|agent_stopping)""",
        "\"(agent_stopping)",
        """DeviceState\.Unregistered, "([a-z]+)""",
    ];

    private static IEnumerable<string> SourcesOf(params string[] folders) =>
        folders.SelectMany(f => Directory.EnumerateFiles(Path.Combine([Code.Root, "src", .. f.Split('/')]), "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal)).Select(File.ReadAllText);

    [Test]
    public void Every_typed_reason_constant_is_documented() =>
        Assert.That(Rules.Undocumented([.. Constants(typeof(Refusals)), .. Constants(typeof(ExecutionReasons)), .. Constants(typeof(HarvestReasons)), .. Constants(typeof(Checkpoints))], Document("reasons.md")), Is.Empty);

    [Test]
    public void Every_reason_literal_is_documented()
    {
        var literals = SourcesOf("Domain/Scheduler", "Domain/IdleCompute", "Application/Scheduler", "Application/IdleCompute", "Infrastructure/Scheduler", "Node").SelectMany(ReasonLiterals).Distinct().ToList();
        Assert.That(literals, Is.SupersetOf(new[]
        {
            "no_agreement", "digest_mismatch", "not_needed", "task_failed", "dependency_failed", "cancelled_by_requester", "deadline_passed", "queue_timeout", "lease_expired", "device_lost", "paused",
            "tier_unmet", "no_devices", "retry_backoff", "no_agent", "silent", "unknown_lease", "stage_in_timeout", "stage_out_failed", "insufficient_capacity", "agent_error", "agent_stopping", "unregistered",
        }), "the patterns must keep finding what they look for");
        Assert.That(Rules.Undocumented(literals, Document("reasons.md")), Is.Empty);
    }

    [Test]
    public void Node_execution_and_policy_name_reasons_by_constants_only()
    {
        var words = Constants(typeof(ExecutionReasons)).Concat(Constants(typeof(HarvestReasons))).Where(w => w.Contains('_')).ToHashSet();
        foreach (var (file, text) in Directory.EnumerateFiles(Path.Combine(Code.Root, "src", "Node"), "*.cs", SearchOption.AllDirectories)
            .Where(f => (f.Contains("/Execution/", StringComparison.Ordinal) || f.Contains("/Policy/", StringComparison.Ordinal)) && Path.GetFileName(f) is not ("ExecutionReasons.cs" or "HarvestPolicy.cs"))
            .Select(f => (f, File.ReadAllText(f))))
        {
            Assert.That(words.Where(w => text.Contains($"\"{w}\"", StringComparison.Ordinal)), Is.Empty, file);
        }
    }

    [Test]
    public void Every_payload_kind_kernel_and_isolation_level_is_documented() =>
        Assert.That(Rules.Undocumented([.. PayloadKinds.All, .. BuiltinKernels.All, .. IsolationLevels.Ascending], Document("payloads.md")), Is.Empty);

    [Test]
    public void Every_environment_variable_of_the_control_plane_is_documented()
    {
        var names = SourcesOf("Api", "Application", "Infrastructure", "Protocol").SelectMany(s => Regex.Matches(s, "\"((?:FOG|API|CORS|DATABASE|REDIS)_[A-Z_]+)\"", RegexOptions.NonBacktracking)).Select(m => m.Groups[1].Value).Where(n => n != "FOG_TASK_INDEX");
        Assert.That(names, Has.Some.EqualTo("API_PORT"));
        Assert.That(Rules.Undocumented(names, Document("operations.md")), Is.Empty);
    }

    [Test]
    public void The_documentation_rule_sees_a_word_that_is_missing()
    {
        Assert.That(Rules.Undocumented(["on_battery", "on_fire"], "| `on_battery` | plugged out |"), Is.EqualTo(new[] { "on_fire" }));
        Assert.That(ReasonLiterals("""return Fault(AttemptOutcomes.Failed, "on_fire", "Burnt.");"""), Has.Some.EqualTo("on_fire"));
    }
}
