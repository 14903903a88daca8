using FluentValidation;
using FluentValidation.Validators;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity.Passwords;

/// <summary>
/// What a new password must be (NIST SP 800-63B, OWASP ASVS): 8–128 characters of any script, none of those that everybody tries first, not the
/// user's name. No rules about kinds of characters, which make passwords worse.
/// </summary>
internal static class PasswordRules
{
    public const int Least = 8;
    public const int Most = 128;

    private static readonly HashSet<string> Common = ReadCommon();

    /// <summary>How many the list has.</summary>
    public static int CommonCount => Common.Count;

    public static bool IsCommon(string password) => Common.Contains(password.ToLowerInvariant());

    /// <exception cref="FogException">422 naming <paramref name="field"/>.</exception>
    public static void Check(string password, string username, string email, string field)
    {
        var key = User.KeyOf(email);
        var candidate = password.Trim().ToLowerInvariant();
        if (candidate == username || candidate == key || candidate == key.Split('@')[0])
            throw IdentityErrors.PasswordIsName.On(field);
        if (IsCommon(password))
            throw IdentityErrors.PasswordTooCommon.On(field);
    }

    /// <summary>8–128 characters, counted as people and JSON Schema count them: an emoji is one.</summary>
    public static IRuleBuilderOptions<T, string> NewPassword<T>(this IRuleBuilder<T, string> rule) => rule.SetValidator(new PasswordLength<T>());

    private static HashSet<string> ReadCommon()
    {
        using var file = typeof(PasswordRules).Assembly.GetManifestResourceStream("common-passwords.txt") ?? throw new InvalidOperationException("common-passwords.txt is not embedded.");
        using var reader = new StreamReader(file);
        var words = new HashSet<string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
                words.Add(line);
        }
        return words;
    }

    private sealed class PasswordLength<T> : PropertyValidator<T, string>, ILengthValidator
    {
        public override string Name => "PasswordLength";
        public int Min => Least;
        public int Max => Most;

        public override bool IsValid(ValidationContext<T> context, string value) => value.EnumerateRunes().Count() is >= Least and <= Most;

        protected override string GetDefaultMessageTemplate(string errorCode) => $"Must be text of {Least} to {Most} characters.";
    }
}
