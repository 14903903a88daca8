using FluentValidation;
using FluentValidation.Validators;
using FogCompute.Application.Common.Pipeline;

namespace FogCompute.Api.Http;

/// <summary>The validators' limits on single fields: the reference states them, and so does the refusal of a value that cannot even be read.</summary>
internal static class FieldLimits
{
    /// <summary>The rules of a type that hold whatever its other fields say, by wire name.</summary>
    public static IEnumerable<(string Field, IPropertyValidator Rule)> Of(IServiceProvider services, Type type) =>
        services.GetService(typeof(IValidator<>).MakeGenericType(type)) is not IValidator validator ? []
            : from member in validator.CreateDescriptor().GetMembersWithValidators()
              from rule in member
              where rule.Options is { HasCondition: false, HasAsyncCondition: false }
              select (WireNames.Of(member.Key), rule.Validator);

    /// <summary>The limit as it follows "a number" or "text"; null for a rule that is no range.</summary>
    public static string? Words(IPropertyValidator rule) => rule switch
    {
        IBetweenValidator between => $" from {between.From} to {between.To}",
        ILengthValidator { Max: > 0 } length => $" of {(length.Min > 0 ? $"{length.Min} to" : "at most")} {length.Max} characters",
        _ => null,
    };
}
