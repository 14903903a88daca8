using FluentValidation;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>Checks that validators of several modules need.</summary>
internal static class SharedRules
{
    /// <summary>Text that people read in one line and in a terminal.</summary>
    public static IRuleBuilderOptions<T, string?> OneLine<T>(this IRuleBuilder<T, string?> rule, int longest) =>
        rule.Length(1, longest).Must(text => text is null || (!string.IsNullOrWhiteSpace(text) && !text.Any(char.IsControl)))
            .WithMessage($"must be 1–{longest} characters without control characters, not only blanks.");

    /// <summary>A set of labels or the like: each 1–64 characters in one line, none twice.</summary>
    public static IRuleBuilderOptions<T, IReadOnlyList<string>?> Words<T>(this IRuleBuilder<T, IReadOnlyList<string>?> rule, int most) =>
        rule.Must(words => words is null || (words.Count <= most && words.All(w => w.Length is >= 1 and <= 64 && !string.IsNullOrWhiteSpace(w) && !w.Any(char.IsControl))))
            .WithMessage($"at most {most} words of 1–64 characters without control characters.").NoneTwice();

    /// <summary>The order means nothing, so neither does a repetition.</summary>
    public static IRuleBuilderOptions<T, IReadOnlyList<TItem>?> NoneTwice<T, TItem>(this IRuleBuilder<T, IReadOnlyList<TItem>?> rule) =>
        rule.Must(items => items is null || items.Distinct().Count() == items.Count).WithMessage("names something twice.");
}
