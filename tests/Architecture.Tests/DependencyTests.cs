using Mono.Cecil;

namespace FogCompute.Architecture.Tests;

public sealed class DependencyTests
{
    private static string ProjectFile(string project) => File.ReadAllText(Path.Combine(Code.Root, "src", project, project + ".csproj"));

    private static AssemblyDefinition Assembly(string project) => project switch
    {
        "Domain" => Code.Domain,
        "Protocol" => Code.Protocol,
        "Application" => Code.Application,
        "Infrastructure" => Code.Infrastructure,
        "Api" => Code.Api,
        "Node" => Code.Node,
        _ => Code.Cli,
    };

    [Test]
    public void Every_project_builds_on_those_below_it_only()
    {
        foreach (var project in Rules.Directions.Keys)
            Assert.That(Rules.ForeignReferences(Assembly(project), project), Is.Empty);
    }

    [Test]
    public void The_direction_rule_sees_a_reference_upwards() =>
        Assert.That(Rules.ForeignReferences(Code.Api, "Domain"), Has.Some.Contains("FogCompute.Infrastructure"));

    [Test]
    public void Every_project_of_the_product_has_a_direction() =>
        Assert.That(Directory.EnumerateDirectories(Path.Combine(Code.Root, "src")).Where(f => Directory.EnumerateFiles(f, "*.csproj").Any()).Select(f => Path.GetFileName(f)!), Is.EquivalentTo(Rules.Directions.Keys));

    [Test]
    public void Domain_and_protocol_need_nothing_but_the_framework()
    {
        foreach (var project in new[] { "Domain", "Protocol" })
        {
            Assert.That(Rules.PackageReferences(Assembly(project)), Is.Empty);
            Assert.That(Rules.ProjectFileReferences(ProjectFile(project)), Is.Empty);
        }
    }

    [Test]
    public void The_package_rule_sees_a_package() =>
        Assert.That(Rules.PackageReferences(Code.Application), Has.Some.EqualTo("MediatR"));

    [Test]
    public void Project_files_ask_for_what_the_architecture_names()
    {
        Assert.That(Rules.ProjectFileReferences(ProjectFile("Application"), "Domain", "Protocol", "MediatR", "FluentValidation", "Microsoft.EntityFrameworkCore", "Microsoft.AspNetCore.App"), Is.Empty);
        Assert.That(Rules.ProjectFileReferences(ProjectFile("Node"), "Protocol", "System.CommandLine"), Is.Empty);
        Assert.That(Rules.ProjectFileReferences(ProjectFile("Cli"), "Protocol", "System.CommandLine", "Spectre.Console", "Npgsql"), Is.Empty);
    }

    [Test]
    public void The_project_file_rule_sees_a_reference_nobody_uses() =>
        Assert.That(
            Rules.ProjectFileReferences("""<Project><ItemGroup><ProjectReference Include="..\Infrastructure\Infrastructure.csproj" /><PackageReference Include="Moq" /></ItemGroup></Project>""", "Domain"),
            Is.EqualTo(new[] { "Infrastructure", "Moq" }));

    [Test]
    public void Api_touches_infrastructure_in_Program_only() =>
        Assert.That(Code.Types(Code.Api).Where(t => t.FullName != "FogCompute.Api.Program").SelectMany(t => Rules.NamesOf(t, "FogCompute.Infrastructure.")), Is.Empty);

    [Test]
    public void The_infrastructure_rule_sees_a_constructor_that_takes_the_database() =>
        Assert.That(Rules.NamesOf(Code.Sample("FogCompute.Architecture.Tests.Samples.TouchesInfrastructure"), "FogCompute.Infrastructure."), Is.Not.Empty);

    // The pipeline's behaviours are MediatR's, and DependencyInjection registers them; nothing else knows which mediator it is.
    [Test]
    public void The_mediator_is_named_in_messaging_pipeline_and_registration_only()
    {
        Assert.That(Code.Types(Code.Application).Where(t => !Rules.MayNameMediator(t)).SelectMany(t => Rules.NamesOf(t, "MediatR.")), Is.Empty);
        foreach (var other in Code.Product.Where(a => a != Code.Application))
            Assert.That(Rules.PackageReferences(other).Where(r => r.StartsWith("MediatR", StringComparison.Ordinal)), Is.Empty, other.Name.Name);
    }

    [Test]
    public void The_mediator_rule_sees_a_constructor_that_takes_it() =>
        Assert.That(Rules.NamesOf(Code.Sample("FogCompute.Application.Wayward.NamesTheMediator"), "MediatR."), Is.Not.Empty);
}
