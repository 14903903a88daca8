namespace FogCompute.Cli.Tests;

/// <summary><c>fog stake</c>, <c>unstake</c>, <c>claim</c>, <c>stakes</c>, <c>rewards</c> and <c>slashes</c>.</summary>
[TestFixture]
internal sealed class StakeTests : DaoFixture
{
    [Test]
    public async Task Stakes_unstakes_and_claims_and_says_until_when()
    {
        GiveAnswers();
        var stake = await RunAsync("stake", "12.5");
        Assert.That(stake.Out, Does.Contain("Staked 12.500000 credits, locked until 2199-01-08 00:00:00Z (in ").And.Contain("20.000000 are staked in all"));
        Assert.That(Sent("stake").ToJsonString(), Is.EqualTo("""{"amount":12.5}"""));
        var unstake = await RunAsync("unstake", "1.000001");
        Assert.That(unstake.Out, Does.Contain("Unstaked 1.000001 credits, which can be claimed from 2199-01-15 00:00:00Z (in ").And.Contain("18.999999 remain staked"));
        Assert.That(Sent("unstake").ToJsonString(), Is.EqualTo("""{"amount":1.000001}"""));
        var claim = await RunAsync("claim");
        Assert.That(claim.Out, Does.Contain("Claimed 3.000000 credits; 83.000000 are available."));
        Assert.That(Plane.Requests.Select(r => r.IdempotencyKey), Is.Unique.And.All.Not.Empty);
        await RunAsync("claim", "--idempotency-key", "mine");
        Assert.That(Plane.Requests.Last().IdempotencyKey, Is.EqualTo("mine"));
        Assert.That(new[] { stake.ExitCode, unstake.ExitCode, claim.ExitCode }, Is.All.Zero);
    }

    [Test]
    public async Task Lists_lots_with_their_locks_and_what_can_be_claimed()
    {
        GiveAnswers();
        var ran = await RunAsync("stakes");
        Assert.That(ran.Out, Does.Contain($"{Me}: 20.000000 credits staked, 5.000000 of them free to unstake now."));
        Assert.That(ran.Out, Does.Match("15\\.000000 must stay until 2199-01-09 00:00:00Z \\(in .*\\): You voted on 'Cheaper cores'\\."));
        Assert.That(ran.Out, Does.Match(@"15\.000000 +2199-01-01 00:00:00Z +2199-01-08 00:00:00Z \(in \d+ d").And.Match(@"5\.000000 +2020-01-01 00:00:00Z +2020-01-08 00:00:00Z, over"));
        Assert.That(ran.Out, Does.Match(@"3\.000000 +2020-01-01 00:00:00Z +now").And.Match(@"4\.000000 +2199-01-01 00:00:00Z +2199-01-15 00:00:00Z \(in "));
        Assert.That(ran.Out, Does.Contain("Claimable now: 3.000000 credits, with: fog claim."));
    }

    [Test]
    public async Task Asks_for_another_account_only_when_told_to()
    {
        GiveAnswers();
        await RunAsync("stakes");
        await RunAsync("rewards", "--address", Other);
        Assert.That(Plane.Requests.Select(r => r.Query), Is.EqualTo(new[] { "", "?address=" + Other }));
    }

    [Test]
    public async Task Shows_interest_and_its_pool()
    {
        GiveAnswers();
        var ran = await RunAsync("rewards");
        Assert.That(ran.Out, Does.Contain("0.001234 credits of interest pending (accrued to 2199-01-01 00:00:00Z), 0.500000 paid so far.").And.Contain("5 % a year, from a rewards pool of 600000.000000"));
        Assert.That(ran.Out, Does.Not.Contain("empty"));
    }

    [Test]
    public async Task Says_when_the_rewards_pool_is_empty()
    {
        Plane.On("GET", Root + "rewards", $$"""{"address":"{{Me}}","pendingRewards":0,"rewardsRate":0.05,"paidRewards":0.5,"accruedTo":null,"poolBalance":0}""");
        Assert.That((await RunAsync("rewards")).Out, Does.Contain("The pool is empty"));
    }

    [Test]
    public async Task Shows_a_slash_with_its_cause_and_how_to_appeal()
    {
        GiveAnswers();
        var ran = await RunAsync("slashes");
        Assert.That(ran.Out, Does.Contain($"{Slash}: 2.500000 credits of {Me} for a wrong result, escrowed"));
        Assert.That(ran.Out, Does.Contain($"task 3 of job {JobId} on ada, attempt a-1; harmed: {Other}"));
        Assert.That(ran.Out, Does.Match($@"may be appealed until 2199-01-04 00:00:00Z \(in .*\): fog slashes appeal {Slash} REASON"));
    }

    [Test]
    public async Task Appeals_and_decides()
    {
        GiveAnswers();
        var appeal = await RunAsync("slashes", "appeal", Slash, "The memory was faulty.");
        Assert.That(appeal.Out, Does.Contain("appealed").And.Contain("appeal: The memory was faulty."));
        Assert.That(Sent($"slashes/{Slash}/appeal").ToJsonString(), Is.EqualTo("""{"reason":"The memory was faulty."}"""));
        var decide = await RunAsync("slashes", "decide", Slash, "--reverse", "Faulty memory.");
        Assert.That(decide.Out, Does.Contain("reversed").And.Contain("decided 2199-01-03 00:00:00Z: Faulty memory."));
        Assert.That(Sent($"slashes/{Slash}/decision").ToJsonString(), Is.EqualTo("""{"uphold":false,"reason":"Faulty memory."}"""));
    }

    [Test]
    public async Task A_refusal_shows_what_there_is_what_is_needed_and_from_when()
    {
        Plane.On("POST", Root + "unstake", Problem(409, "tokenomics.stake_locked", "20.000000 credits are staked, 5.000000 of them unlocked; 7.000000 are needed. The rest is available from 2199-01-08T00:00:00Z."), 409);
        var ran = await RunAsync("unstake", "7");
        Assert.That(ran.ExitCode, Is.EqualTo(5));
        Assert.That(ran.Error, Does.Contain("20.000000 credits are staked, 5.000000 of them unlocked; 7.000000 are needed.").And.Contain("available from 2199-01-08T00:00:00Z").And.Contain("fog stakes"));
    }

    [Test]
    public async Task Too_little_money_points_to_the_balance_wherever_it_was_needed()
    {
        Plane.On("POST", Root + "stake", Problem(409, "tokenomics.insufficient_funds", "The available balance is 1.000000 credits; 2.000000 are needed."), 409)
            .On("POST", "/api/scheduler/jobs", Problem(409, "tokenomics.insufficient_funds", "The available balance is 1.000000 credits; 2.000000 are needed."), 409);
        foreach (var args in new string[][] { ["stake", "2"], ["run", "--", "true"] })
        {
            var ran = await RunAsync(args);
            Assert.That(ran.ExitCode, Is.EqualTo(5));
            Assert.That(ran.Error, Does.Contain("2.000000 are needed").And.Contain("fog ledger"));
        }
    }

    [TestCase("stake"), TestCase("stake 0"), TestCase("stake 1.0000001"), TestCase("stake 1e3"), TestCase("stake -5"), TestCase("stake 1,5"), TestCase("unstake all"), TestCase("claim 5"),
     TestCase("slashes appeal x"), TestCase("slashes decide x because"), TestCase("slashes decide x --uphold --reverse because")]
    public async Task Refuses_a_wrong_command_line_before_anything_is_sent(string line)
    {
        var ran = await RunAsync(line.Split(' '));
        Assert.That(ran.ExitCode, Is.EqualTo(2), ran.Error);
        Assert.That(Plane.Requests, Is.Empty);
    }
}
