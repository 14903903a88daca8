using System.Text.RegularExpressions;
using FogCompute.Node.Execution.Outputs;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Node.Tests.Execution;

public sealed class OutputPatternTests
{
    [TestCase("a.txt", "a.txt", true)]
    [TestCase("a.txt", "b/a.txt", false)]
    [TestCase("*.txt", "a.txt", true)]
    [TestCase("*.txt", "a/b.txt", false)]
    [TestCase("*", ".hidden", true)]
    [TestCase("a/*/c", "a/b/c", true)]
    [TestCase("a/*/c", "a/b/b/c", false)]
    [TestCase("**", "a/b/c", true)]
    [TestCase("**/c", "c", true)]
    [TestCase("**/c", "a/b/c", true)]
    [TestCase("a/**/c", "a/c", true)]
    [TestCase("a/**", "a/b", true)]
    [TestCase("a/**", "b/a", false)]
    [TestCase("?.t?t", "a.txt", true)]
    [TestCase("?.txt", "ab.txt", false)]
    [TestCase("./a//b", "a/b", true)]
    [TestCase("A", "a", false)]
    [TestCase("[a].txt", "a.txt", false)]
    public void Matches_like_a_glob(string pattern, string path, bool expected) =>
        Assert.That(OutputPattern.Parse(pattern)!.Matches(path.Split('/')), Is.EqualTo(expected));

    [TestCase("")]
    [TestCase("/")]
    [TestCase(".")]
    [TestCase("/a")]
    [TestCase("..")]
    [TestCase("a/../b")]
    [TestCase("**/../b")]
    [TestCase("a\0b")]
    [TestCase("a\\..\\b")]
    public void Refuses_what_leaves_the_folder(string pattern) => Assert.That(OutputPattern.Parse(pattern), Is.Null);

    /// <summary>Against the obvious translation to a regular expression.</summary>
    [FsCheck.NUnit.Property(MaxTest = 2000)]
    public Property Agrees_with_a_regular_expression()
    {
        var segment = Gen.Elements("a", "b", "ab", "*", "a*", "*b", "?", "?b", "**");
        var name = Gen.Elements("a", "b", "ab", "ba", "aab", "c");
        return Prop.ForAll(Gen.Zip(Pieces(segment), Pieces(name)).ToArbitrary(), pair =>
        {
            var (pattern, path) = (string.Join('/', pair.Item1), string.Join('/', pair.Item2));
            var regex = Regex.Replace("/" + Regex.Escape(pattern).Replace("\\*", "*", StringComparison.Ordinal).Replace("\\?", "?", StringComparison.Ordinal), @"/\*\*(?=/|$)|\*|\?", m => m.Value switch
            {
                "*" => "[^/]*",
                "?" => "[^/]",
                _ => "(/[^/]+)*",
            }, RegexOptions.None, TimeSpan.FromSeconds(1));
            var expected = Regex.IsMatch("/" + path, $"^{regex}$", RegexOptions.None, TimeSpan.FromSeconds(1));
            return (OutputPattern.Parse(pattern)!.Matches(pair.Item2) == expected).Label($"{pattern} on {path}: expected {expected}");
        });
    }

    private static Gen<string[]> Pieces(Gen<string> element) => Gen.Choose(1, 4).SelectMany(n => element.ArrayOf(n));
}
