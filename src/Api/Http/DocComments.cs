using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace FogCompute.Api.Http;

/// <summary>The doc comments of messages, so that the reference says what the code says. Read from the XML files next to the assemblies.</summary>
internal static partial class DocComments
{
    private static readonly ConcurrentDictionary<Assembly, IReadOnlyDictionary<string, XElement>> Files = new();

    public static string? SummaryOf(Type type) => Text(Find(type.Assembly, "T:" + NameOf(type))?.Element("summary"));

    public static string? SummaryOf(PropertyInfo property)
    {
        var owner = property.DeclaringType!;
        return Text(Find(owner.Assembly, $"P:{NameOf(owner)}.{property.Name}")?.Element("summary"))
            ?? Text(Find(owner.Assembly, "T:" + NameOf(owner))?.Elements("param").FirstOrDefault(p => (string?)p.Attribute("name") == property.Name));
    }

    /// <summary>Describes the schema of a type and its members, unless a filter before did.</summary>
    public static void Describe(OpenApiSchema schema, SchemaFilterContext context, JsonSerializerOptions json)
    {
        if (context.MemberInfo is not null || context.ParameterInfo is not null || !context.Type.FullName!.StartsWith("FogCompute.", StringComparison.Ordinal))
            return;
        schema.Description ??= SummaryOf(context.Type);
        foreach (var property in context.Type.GetProperties())
        {
            var name = json.PropertyNamingPolicy!.ConvertName(property.Name);
            if (schema.Properties?.TryGetValue(name, out var member) == true && member is OpenApiSchema described)
                described.Description ??= SummaryOf(property);
        }
    }

    private static string NameOf(Type type) => (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '.');

    private static XElement? Find(Assembly assembly, string member) =>
        Files.GetOrAdd(assembly, Load).GetValueOrDefault(member);

    private static IReadOnlyDictionary<string, XElement> Load(Assembly assembly)
    {
        var file = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
        return File.Exists(file)
            ? XDocument.Load(file).Descendants("member").ToDictionary(m => (string)m.Attribute("name")!, StringComparer.Ordinal)
            : new Dictionary<string, XElement>(StringComparer.Ordinal);
    }

    private static string? Text(XElement? element)
    {
        if (element is null)
            return null;
        // <see cref="X:Some.Name"/> reads as its last word.
        var words = string.Concat(element.DescendantNodes().Select(n => n switch
        {
            XText text => text.Value,
            XElement parameter when (string?)parameter.Attribute("name") is { } name && parameter.IsEmpty => name,
            XElement see when see.Attribute("cref") is { } cref && see.IsEmpty => cref.Value[(cref.Value.LastIndexOf('.') + 1)..],
            _ => "",
        }));
        return Blank().Replace(words, " ").Trim();
    }

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blank();
}
