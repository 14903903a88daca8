using FogCompute.Application.Common.Messaging;
using FogCompute.Architecture.Tests.Samples;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.RecurringJobs;
using Microsoft.EntityFrameworkCore;
using Mono.Cecil;

namespace FogCompute.Architecture.Tests;

public sealed class HouseRuleTests
{
    private const string Samples = "FogCompute.Architecture.Tests.Samples.";
    private const string Wayward = "FogCompute.Application.Wayward.";

    private static readonly IReadOnlySet<string> Requests =
        Code.Types(Code.Application).Where(t => Code.Implements(t, "ICommand", "IQuery") && !t.IsInterface).Select(t => t.Name).ToHashSet();

    private static IEnumerable<TypeDefinition> Everything => Code.Product.SelectMany(Code.Types);

    [Test]
    public void Nothing_reads_a_static_clock_or_blocks_on_a_task() => Assert.That(Everything.SelectMany(Rules.StaticClocks), Is.Empty);

    [Test]
    public void The_clock_rule_sees_clocks_ids_and_blocking()
    {
        Assert.That(Rules.StaticClocks(Code.Sample(Samples + nameof(ReadsTheClock))), Is.Not.Empty);
        Assert.That(Rules.StaticClocks(Code.Sample(Samples + nameof(MakesIdsFromTheClock))), Is.Not.Empty);
        Assert.That(Rules.StaticClocks(Code.Sample(Samples + nameof(BlocksOnATask))), Is.Not.Empty);
    }

    [Test]
    public void Use_cases_and_their_helpers_never_save_and_never_send() =>
        Assert.That(Code.Types(Code.Application).Where(t => Rules.ModuleOf(t.Namespace) is not null).SelectMany(Rules.SavingOrSending), Is.Empty);

    [Test]
    public void The_saving_rule_sees_through_closures_and_state_machines()
    {
        foreach (var name in new[] { "SavingHandler", "SendingHandler", "TransactingHandler" })
            Assert.That(Rules.SavingOrSending(Code.Sample(Wayward + name)), Is.Not.Empty, name);
    }

    [Test]
    public void Every_action_is_called_after_its_use_case()
    {
        var controllers = Code.Types(Code.Api).Where(Rules.IsController).ToList();
        Assert.That(controllers, Has.Count.GreaterThanOrEqualTo(6));
        Assert.That(controllers.SelectMany(c => Rules.ActionsWithoutUseCase(c, Requests)), Is.Empty);
    }

    [Test]
    public void The_action_rule_sees_a_stray_action()
    {
        var stray = Code.Sample(Samples + nameof(StrayController));
        Assert.That(Rules.IsController(stray), Is.True);
        Assert.That(Rules.ActionsWithoutUseCase(stray, Requests), Is.EqualTo(new[] { "StrayController.DoNothingKnown" }));
    }

    [Test]
    public void Every_use_case_has_a_permission_and_a_file_of_its_own_name() => Assert.That(Rules.MisplacedUseCases(Code.Types(Code.Application)), Is.Empty);

    [Test]
    public void The_use_case_rule_sees_each_of_its_three_faults()
    {
        Assert.That(Rules.MisplacedUseCases([Code.Sample(Wayward + "BareCommand")]), Has.Some.Contains("no permission").And.Some.Contains("not declared in"));
        Assert.That(Rules.MisplacedUseCases([Code.Sample(Wayward + "Misnamed")]), Has.Some.Contains("neither"));
    }

    [Test]
    public void Classes_are_sealed()
    {
        foreach (var assembly in Code.Product)
            Assert.That(Rules.Unsealed([.. Code.Types(assembly)]), Is.Empty);
    }

    [Test]
    public void The_sealing_rule_sees_a_class_left_open() =>
        Assert.That(Rules.Unsealed([Code.Sample(Samples + nameof(CouldBeSealed))]), Is.Not.Empty);

    [Test]
    public void Entities_change_through_methods_only() => Assert.That(Code.Types(Code.Domain).SelectMany(Rules.PublicSetters), Is.Empty);

    [Test]
    public void The_setter_rule_sees_a_public_setter_and_no_other() =>
        Assert.That(Rules.PublicSetters(Code.Sample(Samples + nameof(OpenEntity))), Has.One.Items.And.Some.EndsWith(".Balance"));

    [Test]
    public void Nothing_is_async_void() => Assert.That(Everything.SelectMany(Rules.AsyncVoids), Is.Empty);

    [Test]
    public void The_async_rule_sees_an_async_void() => Assert.That(Rules.AsyncVoids(Code.Sample(Samples + nameof(FiresAndForgets))), Is.Not.Empty);

    [Test]
    public void Enums_are_stored_as_text()
    {
        using var db = new FogDbContext(new DbContextOptionsBuilder<FogDbContext>().UseNpgsql("Host=nowhere").Options);
        Assert.That(db.Model.GetEntityTypes().Count(), Is.GreaterThan(5));
        Assert.That(Rules.EnumsNotText(db.Model), Is.Empty);
    }

    [Test]
    public void The_enum_rule_sees_enums_stored_as_numbers()
    {
        using var db = new PaintedContext(new DbContextOptionsBuilder<PaintedContext>().UseNpgsql("Host=nowhere").Options);
        Assert.That(Rules.EnumsNotText(db.Model), Is.EquivalentTo(new[] { "Painted.Colour", "Painted.Frame" }));
    }

    [Test]
    public void Recurring_rows_are_unique_use_cases_that_say_why() => Assert.That(Rules.OddRecurringRows(RecurringJobTable.Rows, Requests), Is.Empty);

    [Test]
    public void Every_command_that_says_it_recurs_has_a_row() =>
        Assert.That(Rules.CommandsThatRecur(Path.Combine(Code.Root, "src", "Application")), Is.EquivalentTo(RecurringJobTable.Rows.Select(r => r.Name)));

    [Test]
    public void The_recurring_rule_sees_twins_strangers_and_silence()
    {
        static RecurringJob Row(string name, string why) => RecurringJob.Pump(name, TimeSpan.FromSeconds(1), () => new Application.Scheduler.PlacePendingJobsCommand(), why);
        Assert.That(
            Rules.OddRecurringRows([Row("PlacePendingJobs", "x"), Row("PlacePendingJobs", "x"), Row("MakeCoffee", "")], Requests),
            Is.EqualTo(new[] { "PlacePendingJobs has 2 rows", "MakeCoffee is not a use case", "MakeCoffee does not say why" }));
    }
}
