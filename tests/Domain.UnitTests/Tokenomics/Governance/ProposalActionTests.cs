using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Domain.UnitTests.Tokenomics.Governance;

public sealed class ProposalActionTests
{
    private static readonly ProposalAction?[] Actions =
    [
        null,
        new ProposalAction.SetParameter("governance.quorum_bp", 500),
        new ProposalAction.SetParameter("a \"quoted\" name, ü", -1),
        new ProposalAction.TreasuryTransfer("fog1abc", 1),
        new ProposalAction.DecideSlash(Guid.Parse("0190f7a0-0000-7000-8000-000000000001"), true),
        new ProposalAction.DecideSlash(Guid.Parse("0190f7a0-0000-7000-8000-000000000001"), false),
    ];

    [TestCaseSource(nameof(Actions))]
    public void Reads_what_it_wrote(ProposalAction? action)
    {
        var text = ProposalAction.Canonical(action);
        Assert.That(ProposalAction.Parse(text), Is.EqualTo(action));
        Assert.That(text, Does.Not.Contain("\n").And.All.LessThan('\u0080'));
    }

    [Test]
    public void Different_actions_have_different_texts() => Assert.That(Actions.Select(ProposalAction.Canonical), Is.Unique);

    [TestCase("")]
    [TestCase("{}")]
    [TestCase("[ ]", Description = "blanks")]
    [TestCase("""[{"type":"burn_everything"}]""")]
    [TestCase("""[{"type":"set_parameter","value":1,"name":"x"}]""", Description = "order")]
    [TestCase("""[{"type":"set_parameter","name":"x","value":1,"value":2}]""", Description = "a member twice")]
    [TestCase("""[{"type":"set_parameter","name":"x","value":1},{"type":"set_parameter","name":"y","value":2}]""", Description = "a second action that would be overlooked")]
    [TestCase("""[{"type":"set_parameter","name":"x","value":1.0}]""")]
    [TestCase("""[{"type":"set_parameter","name":"x"}]""")]
    public void Refuses_any_other_spelling(string payload) => Assert.That(() => ProposalAction.Parse(payload), Throws.TypeOf<FormatException>());
}
