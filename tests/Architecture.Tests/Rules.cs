using System.Text.RegularExpressions;
using System.Xml.Linq;
using FogCompute.Infrastructure.RecurringJobs;
using Microsoft.EntityFrameworkCore.Metadata;
using Mono.Cecil;
using Mono.Cecil.Rocks;

namespace FogCompute.Architecture.Tests;

/// <summary>A use of another module's inside that stays, and why.</summary>
internal sealed record ModuleException(string Module, string Uses, string Reason);

/// <summary>Each rule lists what breaks it; an empty list is a pass. The tests apply each to the product and to a sample that must break it.</summary>
internal static class Rules
{
    private const string ApplicationRoot = "FogCompute.Application";

    /// <summary>Assemblies and packages that a project may build on; analyzers and the framework aside.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Directions = new Dictionary<string, string[]>
    {
        ["Domain"] = [],
        ["Protocol"] = [],
        ["Application"] = ["Domain", "Protocol"],
        ["Infrastructure"] = ["Application", "Domain", "Protocol"],
        ["Api"] = ["Infrastructure", "Application", "Domain", "Protocol"],
        ["Node"] = ["Protocol"],
        ["Cli"] = ["Protocol"],
    };

    public static IEnumerable<string> ForeignReferences(AssemblyDefinition assembly, string project) =>
        assembly.MainModule.AssemblyReferences.Select(r => r.Name).Where(n => IsOurs(n) && !Directions[project].Contains(n["FogCompute.".Length..])).Select(n => $"{project} → {n}");

    /// <summary>Anything beyond the framework's own System.* assemblies.</summary>
    public static IEnumerable<string> PackageReferences(AssemblyDefinition assembly) =>
        assembly.MainModule.AssemblyReferences.Select(r => r.Name).Where(n => n != "netstandard" && n != "mscorlib" && n != "System" && !n.StartsWith("System.", StringComparison.Ordinal));

    /// <summary>What the project file asks for, used or not.</summary>
    public static IEnumerable<string> ProjectFileReferences(string csproj, params string[] allowed) =>
        XDocument.Parse(csproj).Descendants().Where(e => e.Name.LocalName is "ProjectReference" or "PackageReference" or "FrameworkReference")
            .Select(e => e.Attribute("Include")!.Value).Select(i => i.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(i.Replace('\\', '/')) : i)
            .Except(allowed);

    public static IEnumerable<string> NamesOf(TypeDefinition type, string prefix) =>
        Code.Names(type).Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => $"{type.FullName} names {n}");

    public static bool MayNameMediator(TypeDefinition type) =>
        type.Namespace is ApplicationRoot + ".Common.Messaging" or ApplicationRoot + ".Common.Pipeline" || type.FullName == ApplicationRoot + ".DependencyInjection";

    /// <summary>First name after the root; null: not part of a module.</summary>
    public static string? ModuleOf(string @namespace) =>
        @namespace.StartsWith(ApplicationRoot + ".", StringComparison.Ordinal) && @namespace.Split('.')[2] is var module and not "Common" ? module : null;

    /// <summary>Uses of another module beyond its Contracts and Events.</summary>
    public static IEnumerable<(string Module, string Uses, string By)> ModuleInsides(IEnumerable<TypeDefinition> types) =>
        from type in types
        let module = ModuleOf(type.Namespace)
        where module is not null
        from name in Code.Names(type, interfaces: true)
        let other = ModuleOf(Code.NamespaceOf(name))
        where other is not null && other != module && Code.NamespaceOf(name).Split('.') is not [_, _, _, "Contracts" or "Events", ..]
        select (module, name, type.FullName);

    private static readonly HashSet<string> Clocks = new(StringComparer.Ordinal)
    {
        "System.DateTime::get_Now", "System.DateTime::get_UtcNow", "System.DateTime::get_Today", "System.DateTimeOffset::get_Now", "System.DateTimeOffset::get_UtcNow",
        "System.Random::get_Shared", "System.Threading.Thread::Sleep", "System.Threading.Tasks.Task::Wait",
    };

    /// <summary>Clocks and waits that a test cannot turn. A time-ordered id without an instant reads the clock too.</summary>
    public static IEnumerable<string> StaticClocks(TypeDefinition type) =>
        Code.Calls(type)
            .Where(c => Clocks.Contains($"{c.DeclaringType.FullName}::{c.Name}") || c is { Name: "CreateVersion7", Parameters.Count: 0 } || (c.Name == "get_Result" && c.DeclaringType.Name == "Task`1"))
            .Select(c => $"{type.FullName} calls {c.DeclaringType.Name}.{c.Name}").Distinct();

    /// <summary>Use cases neither save (the unit of work does, once) nor send other use cases.</summary>
    public static IEnumerable<string> SavingOrSending(TypeDefinition type) =>
        Code.Calls(type).Where(c => c.Name.StartsWith("SaveChanges", StringComparison.Ordinal)).Select(c => $"{type.FullName} calls {c.Name}")
            .Concat(Code.Names(type).Where(n => n is ApplicationRoot + ".Common.Messaging.IDispatcher" or "MediatR.IMediator" or "MediatR.ISender").Select(n => $"{type.FullName} uses {n}"))
            .Concat(Code.Calls(type).Where(c => c.DeclaringType.Name == "IUnitOfWork" && c.Name == "RunAsync").Select(_ => $"{type.FullName} opens a transaction"));

    public static bool IsController(TypeDefinition type) => type.BaseType?.Name == "ControllerBase";

    public static IEnumerable<string> ActionsWithoutUseCase(TypeDefinition controller, IReadOnlySet<string> requests) =>
        controller.Methods.Where(m => m is { IsPublic: true, IsConstructor: false, IsSpecialName: false } && m.CustomAttributes.Any(a => a.AttributeType.Name.StartsWith("Http", StringComparison.Ordinal)))
            .Where(m => requests.Contains(m.Name + "Command") == requests.Contains(m.Name + "Query")).Select(m => $"{controller.Name}.{m.Name}");

    /// <summary>Request types without permission, or not in the file that has their name without Command or Query.</summary>
    public static IEnumerable<string> MisplacedUseCases(IEnumerable<TypeDefinition> types)
    {
        foreach (var type in types.Where(t => Code.Implements(t, "ICommand", "IQuery") && !t.IsInterface))
        {
            if (type.CustomAttributes.All(a => a.AttributeType.Name != "RequiresPermissionAttribute"))
                yield return $"{type.FullName} declares no permission";
            var name = Regex.Replace(type.Name, "(Command|Query)$", "", RegexOptions.NonBacktracking);
            if (name == type.Name)
                yield return $"{type.FullName} is called neither …Command nor …Query";
            var folder = Path.Combine([Code.Root, "src", .. type.Namespace.Split('.')[1..]]);
            var file = Path.Combine(folder, name + ".cs");
            if (!File.Exists(file) || !Regex.IsMatch(File.ReadAllText(file), $@"\b(record|class) {type.Name}\b", RegexOptions.NonBacktracking))
                yield return $"{type.FullName} is not declared in {Path.GetRelativePath(Code.Root, file)}";
        }
    }

    /// <summary>Classes that could be sealed: concrete, and nothing in their assembly derives from them.</summary>
    public static IEnumerable<string> Unsealed(IReadOnlyCollection<TypeDefinition> types)
    {
        var all = types.SelectMany(Code.WithNested).Where(t => !Code.IsGenerated(t)).ToList();
        var bases = all.Select(t => t.BaseType?.GetElementType().FullName).ToHashSet(StringComparer.Ordinal);
        return all.Where(t => t is { IsClass: true, IsValueType: false, IsAbstract: false, IsSealed: false } && !bases.Contains(t.FullName)).Select(t => t.FullName);
    }

    /// <summary>Properties that anyone may set at any time; <c>init</c> is not one.</summary>
    public static IEnumerable<string> PublicSetters(TypeDefinition type) =>
        Code.WithNested(type).SelectMany(t => t.Properties).Where(p => p.SetMethod is { IsPublic: true } set && set.ReturnType is not RequiredModifierType)
            .Select(p => $"{type.FullName}.{p.Name}");

    public static IEnumerable<string> AsyncVoids(TypeDefinition type) =>
        Code.Methods(type).Where(m => m.ReturnType.FullName == "System.Void" && m.CustomAttributes.Any(a => a.AttributeType.Name == "AsyncStateMachineAttribute")).Select(m => $"{type.FullName}: {m.Name}");

    public static IEnumerable<string> EnumsNotText(IModel model) =>
        from entity in model.GetEntityTypes()
        from property in entity.GetProperties()
        let type = Nullable.GetUnderlyingType(property.ClrType) ?? property.ClrType
        where type.IsEnum && (property.GetTypeMapping().Converter?.ProviderClrType ?? property.ClrType) != typeof(string)
        select $"{entity.ClrType.Name}.{property.Name}";

    /// <summary>Rows that share a name, or that no use case is called like.</summary>
    public static IEnumerable<string> OddRecurringRows(IReadOnlyList<RecurringJob> rows, IReadOnlySet<string> requests) =>
        rows.GroupBy(r => r.Name).Where(g => g.Count() > 1).Select(g => $"{g.Key} has {g.Count()} rows")
            .Concat(rows.Where(r => !requests.Contains(r.Name + "Command")).Select(r => $"{r.Name} is not a use case"))
            .Concat(rows.Where(r => string.IsNullOrWhiteSpace(r.Why)).Select(r => $"{r.Name} does not say why"));

    /// <summary>Commands whose file says that they recur.</summary>
    public static IEnumerable<string> CommandsThatRecur(string folder) =>
        Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Where(f => File.ReadLines(f).Any(l => l.StartsWith("// Recurring", StringComparison.Ordinal))).Select(f => Path.GetFileNameWithoutExtension(f)!);

    /// <summary>Words that a document does not mention in code type.</summary>
    public static IEnumerable<string> Undocumented(IEnumerable<string> words, string document) => words.Distinct().Where(w => !document.Contains($"`{w}`", StringComparison.Ordinal));

    private static bool IsOurs(string assembly) => assembly.StartsWith("FogCompute.", StringComparison.Ordinal);
}
