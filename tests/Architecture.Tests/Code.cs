using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace FogCompute.Architecture.Tests;

/// <summary>The compiled product and this repository, as the rules look at them.</summary>
internal static class Code
{
    public static readonly AssemblyDefinition Domain = Read(typeof(FogCompute.Domain.Common.FogError));
    public static readonly AssemblyDefinition Protocol = Read(typeof(FogCompute.Protocol.PayloadSpec));
    public static readonly AssemblyDefinition Application = Read(typeof(FogCompute.Application.DependencyInjection));
    public static readonly AssemblyDefinition Infrastructure = Read(typeof(FogCompute.Infrastructure.Persistence.FogDbContext));
    public static readonly AssemblyDefinition Api = Read(typeof(FogCompute.Api.Program));
    public static readonly AssemblyDefinition Node = Read(typeof(FogCompute.Node.Policy.HarvestReasons));
    public static readonly AssemblyDefinition Cli = Read(typeof(FogCompute.Cli.ExitCodes));

    /// <summary>This assembly: where the samples live that break each rule.</summary>
    public static readonly AssemblyDefinition Tests = Read(typeof(Code));
    public static readonly IReadOnlyList<AssemblyDefinition> Product = [Domain, Protocol, Application, Infrastructure, Api, Node, Cli];

    /// <summary>The folder that holds FogCompute.sln.</summary>
    public static readonly string Root = FindRoot();

    /// <summary>Types people wrote, outermost ones only: what a compiler or generator adds belongs to the type that contains it.</summary>
    public static IEnumerable<TypeDefinition> Types(AssemblyDefinition assembly) =>
        assembly.MainModule.Types.Where(t => !IsGenerated(t) && t.Namespace.StartsWith("FogCompute", StringComparison.Ordinal));

    /// <summary>The sample of this name.</summary>
    public static TypeDefinition Sample(string fullName) => Tests.MainModule.GetType(fullName) ?? throw new ArgumentException($"There is no sample {fullName}.");

    public static bool IsGenerated(TypeDefinition type) =>
        type.Name.Contains('<', StringComparison.Ordinal) || type.CustomAttributes.Any(a => a.AttributeType.Name is "CompilerGeneratedAttribute" or "GeneratedCodeAttribute");

    public static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) => type.NestedTypes.SelectMany(WithNested).Prepend(type);

    public static IEnumerable<MethodDefinition> Methods(TypeDefinition type) => WithNested(type).SelectMany(t => t.Methods);

    /// <summary>Every method that this type's code calls or points to.</summary>
    public static IEnumerable<MethodReference> Calls(TypeDefinition type) =>
        Methods(type).Where(m => m.HasBody).SelectMany(m => m.Body.Instructions).Select(i => i.Operand).OfType<MethodReference>();

    /// <summary>
    /// Every type that a type names in its base, members, attributes and code. Not in its interface list: there a compiler writes inherited
    /// interfaces too, which the source does not name.
    /// </summary>
    public static IReadOnlySet<string> Names(TypeDefinition type, bool interfaces = false)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var t in WithNested(type))
        {
            Add(t.BaseType);
            if (interfaces)
                t.Interfaces.ToList().ForEach(i => Add(i.InterfaceType));
            foreach (var attribute in t.CustomAttributes.Concat(t.Methods.SelectMany(m => m.CustomAttributes)).Concat(t.Properties.SelectMany(p => p.CustomAttributes)).Concat(t.Fields.SelectMany(f => f.CustomAttributes)))
            {
                Add(attribute.AttributeType);
                foreach (var argument in attribute.ConstructorArguments)
                    Add(argument.Value as TypeReference);
            }
            t.GenericParameters.SelectMany(g => g.Constraints).ToList().ForEach(c => Add(c.ConstraintType));
            t.Fields.ToList().ForEach(f => Add(f.FieldType));
            t.Properties.ToList().ForEach(p => Add(p.PropertyType));
            foreach (var method in t.Methods)
            {
                Add(method.ReturnType);
                method.Parameters.ToList().ForEach(p => Add(p.ParameterType));
                if (!method.HasBody)
                    continue;
                method.Body.Variables.ToList().ForEach(v => Add(v.VariableType));
                foreach (var instruction in method.Body.Instructions)
                    AddOperand(instruction);
            }
        }
        return names;

        void AddOperand(Instruction instruction)
        {
            switch (instruction.Operand)
            {
                case TypeReference reference:
                    Add(reference);
                    break;
                case MethodReference method:
                    Add(method.DeclaringType);
                    Add(method.ReturnType);
                    method.Parameters.ToList().ForEach(p => Add(p.ParameterType));
                    if (method is GenericInstanceMethod generic)
                        generic.GenericArguments.ToList().ForEach(Add);
                    break;
                case FieldReference field:
                    Add(field.DeclaringType);
                    Add(field.FieldType);
                    break;
            }
        }

        void Add(TypeReference? reference)
        {
            switch (reference)
            {
                case null or GenericParameter:
                    return;
                case GenericInstanceType generic:
                    generic.GenericArguments.ToList().ForEach(Add);
                    Add(generic.ElementType);
                    return;
                case TypeSpecification specification:
                    Add(specification.ElementType);
                    return;
                default:
                    var outermost = reference;
                    while (outermost.DeclaringType is { } declaring)
                        outermost = declaring;
                    names.Add(outermost.FullName);
                    return;
            }
        }
    }

    public static string NamespaceOf(string fullName) => fullName.LastIndexOf('.') is > 0 and var dot ? fullName[..dot] : "";

    /// <summary>Whether an interface, own or inherited, has this name without arity.</summary>
    public static bool Implements(TypeDefinition type, params string[] names) =>
        type.Interfaces.Any(i => names.Contains(i.InterfaceType.Name.Split('`')[0], StringComparer.Ordinal));

    private static AssemblyDefinition Read(Type type)
    {
        var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        return AssemblyDefinition.ReadAssembly(type.Assembly.Location, new ReaderParameters { AssemblyResolver = resolver });
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "FogCompute.sln")))
                return folder.FullName;
        }
        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds FogCompute.sln; run these tests from a checkout.");
    }
}
