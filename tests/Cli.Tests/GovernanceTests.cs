using System.Text.Json.Nodes;
using FogCompute.Cli.Commands.Dao;

namespace FogCompute.Cli.Tests;

/// <summary><c>fog proposals</c>, <c>propose</c>, <c>vote</c>, <c>delegate</c> and <c>parameters</c>.</summary>
[TestFixture]
internal sealed class GovernanceTests : DaoFixture
{
    private const string Why = "Because small jobs pay more than they should.";

    private static readonly string[][] JsonCommands =
    [
        ["stake", "1"], ["unstake", "1"], ["claim"], ["stakes"], ["rewards"], ["slashes"], ["slashes", "appeal", Slash, "because of it"], ["slashes", "decide", Slash, "--uphold", "because of it"],
        ["proposals"], ["proposals", "show", "3f9a2c1e"], ["proposals", "ballots", First], ["proposals", "cancel", First, "no"], ["proposals", "rehearse", First],
        ["propose", "Cheaper cores", "--description", Why, "--set", "pricing.core_hour_micro=80000"], ["vote", "3f9a2c1e", "for"], ["delegate"], ["delegate", Other], ["delegate", "--none"],
        ["parameters"], ["parameters", "pricing.core_hour_micro"],
    ];

    [TestCaseSource(nameof(JsonCommands))]
    public async Task With_json_stdout_is_one_document_and_nothing_else(string[] args)
    {
        GiveAnswers();
        var ran = await RunAsync([.. args, "--json"]);
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(() => ran.Json, Throws.Nothing, ran.Out);
    }

    [Test]
    public async Task Lists_proposals_with_a_bar_the_quorum_and_the_time_left()
    {
        GiveAnswers();
        var ran = await RunAsync("proposals", "--status", "active", "--limit", "5");
        Assert.That(Plane.Requests.Single().Query, Is.EqualTo("?status=active&limit=5"));
        Assert.That(ran.Out, Does.Match(@"3f9a2c1e +Cheaper cores for small jobs +active +█{12}░{4} 75 % +3\.500001 of 10\.000000 +\d+ d"));
        Assert.That(ran.Out, Does.Match(@"3f9a2c1f +Thank everybody who lends +pending +·{16} no votes +– +vote starts in \d+ d"));
        Assert.That(ran.Out, Does.Contain("2 of 7 shown"));
    }

    [Test]
    public async Task Lists_proposals_line_by_line_where_the_table_does_not_fit()
    {
        Columns = 60;
        GiveAnswers();
        var ran = await RunAsync(terminal: true, "", "proposals");
        Assert.That(ran.Out, Does.Contain("3f9a2c1e active, ").And.Contain("  Cheaper cores for small jobs").And.Contain("  quorum 3.500001 of 10.000000"));
    }

    [Test]
    public async Task Shows_longer_ids_where_short_ones_would_be_the_same()
    {
        var twin = First[..^1] + "9";
        Plane.On("GET", Root + "proposals", $$"""{"proposals":[{"id":"{{First}}","title":"a","status":"active"},{"id":"{{twin}}","title":"b","status":"active"}],"total":2,"next":null}""");
        Assert.That((await RunAsync("proposals")).Out, Does.Contain(First).And.Contain(twin));
    }

    // Both figures in credits; the bar never hides a side, the percentage never rounds up.
    [TestCase("0", "0", 0, 16, "no votes")]
    [TestCase("5", "0", 16, 0, "100 %")]
    [TestCase("1000000", "0.000001", 15, 1, "99.99 %")]
    [TestCase("0.000001", "1000000", 1, 15, "0 %")]
    [TestCase("2", "1", 11, 5, "66.66 %")]
    public void Draws_both_sides_of_a_vote(string inFavour, string against, int cells, int rest, string text)
    {
        var bar = ProposalCommands.Bar(decimal.Parse(inFavour), decimal.Parse(against));
        Assert.That((bar.For.Length, bar.Against.Length, bar.Text), Is.EqualTo((cells, rest, text)));
    }

    [Test]
    public async Task Shows_everything_of_a_proposal()
    {
        GiveAnswers();
        var ran = await RunAsync("proposals", "show", First);
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out, Does.Contain(First).And.Contain("set pricing.core_hour_micro to 80000").And.Contain("abc123"));
        Assert.That(ran.Out, Does.Contain("for 3.000001, against 1.000000, abstained 0.500000; 2 ballots").And.Contain("3.500001 of 10.000000"));
        Assert.That(ran.Out, Does.Contain("  Line one.\n  Line two.\n"));
        Assert.That(ran.Out, Does.Contain("""  [{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000}]"""), "to the letter");
        Assert.That(ran.Out, Does.Contain("2199-01-01 00:00:00Z  pending: proposed").And.Contain("2199-01-02 00:00:00Z  active\n"));
        Assert.That(ran.Out, Does.Contain("Rehearsal:").And.Match(@"tiers, gold, price +0\.5 +0\.4 +-0\.1 \(-20 %\)"));
        Assert.That(ran.Out, Does.Contain("60 % of for + against needed"));
    }

    [Test]
    public async Task Shows_the_difference_a_rehearsal_found()
    {
        GiveAnswers();
        var ran = await RunAsync("proposals", "rehearse", First, "--days", "14");
        Assert.That(Plane.Requests.Single().Query, Is.EqualTo("?days=14"));
        Assert.That(ran.Out, Does.Contain("days: 7\n").And.Contain("at: 2199-01-01 00:00:00Z").And.Contain("assumptions:\n  - Owners and requesters act as they did.\n  - Runs take as long.\n"));
        Assert.That(ran.Out, Does.Match(@"\n +charged +2\.5 +2 +-0\.5 \(-20 %\)").And.Match(@"tiers, gold, price +0\.5 +0\.4 +-0\.1 \(-20 %\)").And.Match(@"tiers, gold, charged +2\.5 +2 "));
        Assert.That(ran.Out, Does.Match(@"devices, ada +2 +2 +0 *\n").And.Match(@"devices, bob +0 +0\.000001 +\+0\.000001 *\n").And.Match(@"waiting, mean wait seconds +1\.5 +3 +\+1\.5 \(\+100 %\)"));
    }

    [Test]
    public async Task Lists_ballots_of_all_pages()
    {
        GiveAnswers();
        var ran = await RunAsync("proposals", "ballots", First);
        Assert.That(ran.Out, Does.Match($@"{Me} +for +3\.000001 +2199-01-02 01:00:00Z +dear enough").And.Match($@"{Other} +against +1\.000000"));
        Assert.That(Plane.Requests.Select(r => r.Query), Is.EqualTo(new[] { "?limit=100", "?limit=100&cursor=2" }));
    }

    [Test]
    public async Task Votes_by_the_beginning_of_an_id()
    {
        GiveAnswers();
        var ran = await RunAsync("vote", "3F9A2C1E", "for", "--reason", "dear enough");
        Assert.That(ran.Out, Does.Contain($"Voted for with 20.000000 credits of power on proposal {First}."));
        Assert.That(Sent("vote").ToJsonString(), Is.EqualTo($$"""{"proposal_id":"{{First}}","vote":"for","reason":"dear enough"}"""));
    }

    [Test]
    public async Task Changes_nothing_when_an_id_is_too_short_or_unknown()
    {
        GiveAnswers();
        var ambiguous = await RunAsync("vote", "3f9a", "for");
        Assert.That(ambiguous.ExitCode, Is.EqualTo(1));
        Assert.That(ambiguous.Error, Does.Contain("any of 2 proposals").And.Contain(First).And.Contain(Second));
        var unknown = await RunAsync("vote", "00", "for");
        Assert.That(unknown.ExitCode, Is.EqualTo(3));
        Assert.That(unknown.Error, Does.Contain("fog proposals"));
        Assert.That(Plane.Requests.Where(r => r.Method == "POST"), Is.Empty);
    }

    [Test]
    public async Task A_whole_id_is_not_looked_up_first()
    {
        GiveAnswers();
        await RunAsync("proposals", "cancel", First.ToUpperInvariant(), "superseded");
        Assert.That(Plane.Requests.Single().Path, Is.EqualTo($"{Root}proposals/{First}/cancel"));
        Assert.That((string?)Plane.Requests.Single().Body!["reason"], Is.EqualTo("superseded"));
    }

    [TestCase("--set pricing.core_hour_micro=80000", """{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000}""", "set pricing.core_hour_micro to 80000")]
    [TestCase("--pay " + Other + "=2500.000001", """{"type":"treasury_transfer","to":"fog1bbbbbbbb","amount":2500.000001}""", "pay 2500.000001 credits from the treasury to " + Other)]
    [TestCase("--decide-slash " + Slash + "=reverse", """{"type":"decide_slash","slashId":"0198c7a2-5d5e-7c1e-9d0a-00000000c001","uphold":false}""", "reverse the slash " + Slash)]
    [TestCase("", null, "nothing is executed: a resolution")]
    public async Task Proposes_after_saying_what_would_be_executed(string action, string? sent, string words)
    {
        GiveAnswers();
        string[] args = ["propose", "Cheaper cores", "--description", Why, .. action.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        var ran = await RunAsync(terminal: false, "y\n", args);
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Error, Does.Contain($"If \"Cheaper cores\" is accepted: {words}.").And.Contain("Propose this? [y/N]"));
        Assert.That(ran.Out, Does.Contain($"Proposed as {First}."));
        var body = Sent("proposals");
        Assert.That((string?)body["description"], Is.EqualTo(Why));
        Assert.That(body["action"]?.ToJsonString(), Is.EqualTo(sent));
    }

    [Test]
    public async Task Shows_the_present_value_and_its_bounds_before_it_asks()
    {
        GiveAnswers();
        var ran = await RunAsync(terminal: false, "y\n", "propose", "Cheaper cores", "--description", Why, "--set", "pricing.core_hour_micro=80000");
        Assert.That(ran.Error, Does.Contain("Price of one core for one hour").And.Contain("90000 (0.090000 credits) → 80000 (0.080000 credits); allowed are 1 – 100000000"));
    }

    [TestCase("\n"), TestCase(""), TestCase("n\n"), TestCase("perhaps\n")]
    public async Task Proposes_nothing_unless_told_yes(string answer)
    {
        GiveAnswers();
        var ran = await RunAsync(terminal: false, answer, "propose", "Cheaper cores", "--description", Why);
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("nothing was proposed").And.Contain("--yes"));
        Assert.That(Plane.Requests, Is.Empty);
    }

    [Test]
    public async Task Does_not_ask_with_yes_and_reads_the_description_from_a_file_or_standard_input()
    {
        GiveAnswers();
        await File.WriteAllTextAsync(Path.Combine(Folder, "why.md"), Why);
        var file = await RunAsync("propose", "Cheaper cores", "--file", "why.md", "--yes");
        var input = await RunAsync(terminal: false, Why, "propose", "Cheaper cores", "--file", "-", "-y");
        Assert.That(file.Error + input.Error, Does.Not.Contain("[y/N]"));
        Assert.That(Plane.Requests.Select(r => (string?)r.Body!["description"]), Is.EqualTo(new[] { Why, Why }));
    }

    [Test]
    public async Task A_refused_proposal_names_the_field_and_its_range()
    {
        Plane.On("POST", Root + "proposals", Problem(422, "platform.invalid", "The proposal has mistakes.", ""","errors":{"action.value":["Must be between 1 and 100000000."]}"""), 422);
        var ran = await RunAsync("propose", "Cheaper cores", "--description", Why, "--set", "pricing.core_hour_micro=0", "--yes");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("action.value: Must be between 1 and 100000000."));
    }

    [Test]
    public async Task Delegates_takes_back_and_shows_it()
    {
        GiveAnswers();
        var give = await RunAsync("delegate", Other);
        Assert.That(give.Out, Does.Contain($"{Other} votes with your stake"));
        Assert.That(Plane.Requests.Last().Body!.ToJsonString(), Is.EqualTo($$"""{"to":"{{Other}}"}"""));
        await RunAsync("delegate", "--none");
        Assert.That(Plane.Requests.Last().Body!.ToJsonString(), Is.EqualTo("""{"to":null}"""));
        var show = await RunAsync("delegate");
        Assert.That(show.Out, Does.Contain($"{Me} votes itself.").And.Contain($"{Other} has delegated 7.000000").And.Contain("Voting power now: 27.000000"));
    }

    [Test]
    public async Task Lists_parameters_and_marks_what_differs_from_its_default()
    {
        GiveAnswers();
        var ran = await RunAsync("parameters");
        Assert.That(ran.Out, Does.Match(@"\* +pricing\.core_hour_micro +90000 \(0\.090000 credits\) +100000 +1 – 100000000 +2199-01-01"));
        Assert.That(ran.Out, Does.Match(@"\n +features\.speculation +1 \(on\) +1 +0 – 1 +–").And.Contain("Version 3"));
    }

    [Test]
    public async Task Shows_a_parameter_with_its_history()
    {
        GiveAnswers();
        var ran = await RunAsync("parameters", "pricing.core_hour_micro");
        Assert.That(ran.Out, Does.Contain("a proposal may set 1 (0.000001 credits) to 100000000 (100.000000 credits), in micro credits"));
        Assert.That(ran.Out, Does.Match($@"2199-01-01 00:00:00Z +3 +100000 \(0\.100000 credits\) +90000 \(0\.090000 credits\) +{Second}").And.Contain("none: the pool's founder"));
    }

    [TestCase("micro_credits", "100000", "100000 (0.100000 credits)")]
    [TestCase("basis_points", "1050", "1050 (10.5 %)")]
    [TestCase("tenths", "25", "25 (× 2.5)")]
    [TestCase("seconds", "90000", "90000 (1 d 1 h)")]
    [TestCase("seconds", "604800", "604800 (7 d)")]
    [TestCase("seconds", "0", "0 (0 s)")]
    [TestCase("count", "3", "3")]
    [TestCase("flag", "0", "0 (off)")]
    [TestCase("something_new", "9", "9")]
    public void Reads_a_value_in_its_unit(string unit, string value, string expected) =>
        Assert.That(ParametersCommand.Value(new JsonObject { ["unit"] = unit }, value), Is.EqualTo(expected));

    [Test]
    public async Task An_unknown_parameter_points_to_the_list()
    {
        var ran = await RunAsync("parameters", "no.such");
        Assert.That(ran.ExitCode, Is.EqualTo(3));
        Assert.That(ran.Error, Does.Contain("fog parameters"));
    }

    [TestCase("proposals --status lost"), TestCase("proposals --limit 0"), TestCase("proposals rehearse x --days 31"), TestCase("proposals cancel x"), TestCase("vote x"), TestCase("vote x perhaps"),
     TestCase("delegate fog1 --none"), TestCase("propose title"), TestCase("propose title --description d --file f"), TestCase("propose title --file no-such-file"),
     TestCase("propose t --description d --set a=b"), TestCase("propose t --description d --set a=1.5"), TestCase("propose t --description d --set a"), TestCase("propose t --description d --set =1"),
     TestCase("propose t --description d --pay fog1=0"), TestCase("propose t --description d --decide-slash x=maybe"), TestCase("propose t --description d --set a=1 --pay fog1=1")]
    public async Task Refuses_a_wrong_command_line_before_anything_is_sent(string line)
    {
        var ran = await RunAsync([.. line.Split(' '), "--json"]);
        Assert.That(ran.ExitCode, Is.EqualTo(2), ran.Error);
        Assert.That(Plane.Requests, Is.Empty);
    }

    [TestCase("fog prop", "proposals"), TestCase("fog proposals re", "rehearse"), TestCase("fog vote x ag", "against"), TestCase("fog propose --dec", "--decide-slash"),
     TestCase("fog ledger ver", "verify"), TestCase("fog slashes app", "appeal"), TestCase("fog proposals --status exec", "execution_failed"), TestCase("fog unst", "unstake")]
    public async Task Completes_the_word_under_the_cursor(string line, string expected)
    {
        var ran = await RunAsync("complete", "--position", line.Length.ToString(), line);
        Assert.That(ran.Out.Split('\n'), Does.Contain(expected));
    }
}
