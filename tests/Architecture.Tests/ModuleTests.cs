namespace FogCompute.Architecture.Tests;

public sealed class ModuleTests
{
    private const string Scheduler = "FogCompute.Application.Scheduler.";
    private const string Realtime = "FogCompute.Application.Realtime.";
    private const string IdleCompute = "FogCompute.Application.IdleCompute.";

    /// <summary>Everything that looks into another module, with the reason. Removing one is progress; adding one needs a reason as good.</summary>
    private static readonly ModuleException[] Known =
    [
        new("Dashboard", Realtime + "IPoolFigures", "The dashboard and the live metrics show the same counts, from one statement."),
        new("Dashboard", Realtime + "PoolCounts", "The answer of that."),
        new("IdleCompute", Scheduler + "SchedulerOptions", "A device's status says 'offline' after the same silence that makes the scheduler lose it; one option, read by both."),
        new("IdleCompute", Scheduler + "JobWords", "Wire words of enums are spelt by one function."),
        new("IdleCompute", Scheduler + "WhyReason", "'why' answers of jobs and of devices have the same shape, so that clients read both with one piece of code."),
        new("Scheduler", IdleCompute + "DeviceWords", "A node under scheduler is a device under idle-compute; its status words are spelt by the module that owns devices."),
    ];

    [Test]
    public void Modules_are_found_from_their_namespaces() =>
        Assert.That(
            Code.Types(Code.Application).Select(t => Rules.ModuleOf(t.Namespace)).OfType<string>().Distinct(),
            Is.SupersetOf(new[] { "Scheduler", "IdleCompute", "Tokenomics", "Identity", "Artifacts", "Health", "Platform" }));

    [Test]
    public void A_module_uses_the_contracts_and_events_of_others_and_nothing_else()
    {
        var unknown = Rules.ModuleInsides(Code.Types(Code.Application)).Where(u => !Known.Any(k => k.Module == u.Module && k.Uses == u.Uses));
        Assert.That(unknown.Select(u => $"{u.By} uses {u.Uses}"), Is.Empty);
    }

    [Test]
    public void Every_listed_exception_is_still_needed()
    {
        var used = Rules.ModuleInsides(Code.Types(Code.Application)).Select(u => (u.Module, u.Uses)).ToHashSet();
        Assert.That(Known.Where(k => !used.Contains((k.Module, k.Uses))).Select(k => $"{k.Module} → {k.Uses}"), Is.Empty);
    }

    [Test]
    public void The_module_rule_sees_a_look_inside_and_lets_contracts_pass()
    {
        Assert.That(Rules.ModuleInsides([Code.Sample("FogCompute.Application.Wayward.LooksInsideAnotherModule")]).Select(u => u.Uses), Has.Some.EqualTo(Scheduler + "SchedulerOptions"));
        Assert.That(Rules.ModuleInsides([Code.Sample("FogCompute.Application.Wayward.UsesContractsOnly")]), Is.Empty);
    }

    [Test]
    public void Every_module_with_use_cases_of_its_own_explains_itself()
    {
        var silent = Code.Types(Code.Application).Where(t => Code.Implements(t, "ICommand", "IQuery")).Select(t => Rules.ModuleOf(t.Namespace)).OfType<string>().Distinct()
            // Health and Platform are shelves of the control plane itself, without tables or states to explain.
            .Where(m => m is not ("Health" or "Platform")).Where(m => !File.Exists(Path.Combine(Code.Root, "src", "Application", m, "README.md")));
        Assert.That(silent, Is.Empty);
    }
}
