using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics;
using FogCompute.Api.ContractTests.Scheduler;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>Statements, past balances, exports, checkpoints and figures as clients read them.</summary>
public sealed class LedgerTests
{
    private ApiServer _server = null!;
    private PoolOverHttp _pool = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync();
        _pool = new PoolOverHttp(_server);
        await _pool.AddAsync("ledger-pc", score: 1e9);
        // The local operator's account opens with its first request; this leaves a hold and a release in its history.
        var job = await _pool.SubmitAsync("held, then \"cancelled\"");
        using var cancelled = await _server.Client.DeleteAsync($"/api/scheduler/jobs/{job}");
        Assert.That(cancelled.IsSuccessStatusCode, Is.True);
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    [Test]
    public async Task A_statement_adds_up_and_names_the_job()
    {
        var statement = await _pool.GetAsync("/api/tokenomics/statement?limit=1000");
        var lines = statement["lines"]!.AsArray();
        Assert.That(lines.Select(l => l!["kind"]!.GetValue<string>()), Is.SupersetOf(new[] { "faucet_grant", "hold", "release" }));
        Assert.That(statement["opening"]!["total"]!.GetValue<decimal>() + lines.Sum(l => l!["amount"]!.GetValue<decimal>()), Is.EqualTo(statement["closing"]!["total"]!.GetValue<decimal>()));
        Assert.That(lines.First(l => l!["kind"]!.GetValue<string>() == "hold")!["cause"]!["jobId"]!.GetValue<Guid>(), Is.Not.EqualTo(Guid.Empty));
        Assert.That(lines.First(l => l!["kind"]!.GetValue<string>() == "faucet_grant")!["cause"], Is.Null);
        Assert.That(lines[^1]!["amount"]!.ToJsonString(), Does.Match("^-?[0-9]+\\.[0-9]{6}$"));
        var first = await _pool.GetAsync("/api/tokenomics/statement?limit=1");
        var rest = await _pool.GetAsync($"/api/tokenomics/statement?limit=1000&cursor={first["next"]}");
        Assert.That(rest["lines"]!.AsArray(), Has.Count.EqualTo(lines.Count - 1));
    }

    [Test]
    public async Task A_past_balance_is_that_of_the_instant()
    {
        var statement = await _pool.GetAsync("/api/tokenomics/statement?limit=1000");
        foreach (var line in statement["lines"]!.AsArray().Where(l => l!["account"]!.GetValue<string>() == "available"))
        {
            var then = await _pool.GetAsync($"/api/tokenomics/balance?at={Uri.EscapeDataString(line!["at"]!.GetValue<string>())}");
            Assert.That(then["balance"]!.GetValue<decimal>(), Is.EqualTo(line["balanceAfter"]!.GetValue<decimal>()));
            Assert.That(then["rewards"], Is.Null);
        }
    }

    [TestCase("balance?at=2999-01-01T00:00:00Z", "tokenomics.future_instant", "at")]
    [TestCase("balance?at=yesterday", "common.validation_failed", "at")]
    [TestCase("balance?at=2026-01-01T00:00:00", "common.validation_failed", "at")]
    [TestCase("statement?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "common.validation_failed", "from")]
    [TestCase("statement?limit=0", "common.validation_failed", "limit")]
    [TestCase("statement?limit=1001", "common.validation_failed", "limit")]
    [TestCase("statement?cursor=7.7", "common.validation_failed", "cursor")]
    [TestCase("ledger/export?format=xml", "common.validation_failed", "format")]
    [TestCase("ledger/export?all=true&address=fog1x", "common.validation_failed", "address")]
    [TestCase("checkpoints?limit=0", "common.validation_failed", "limit")]
    [TestCase("checkpoints?before=soon", "common.validation_failed", "before")]
    public async Task Refuses_what_makes_no_sense(string path, string code, string field)
    {
        using var answer = await _server.Client.GetAsync("/api/tokenomics/" + path);
        var problem = await answer.ProblemAsync(422, code);
        Assert.That(problem.GetProperty("errors").EnumerateObject().Select(e => e.Name), Is.EqualTo(new[] { field }));
    }

    [Test]
    public async Task Others_see_neither_ones_statement_nor_the_whole_journal()
    {
        var address = (await _pool.GetAsync("/api/tokenomics/balance"))["address"]!.GetValue<string>();
        var (_, member, _) = await _server.NewMemberAsync("ledger-reader");
        using var client = member;
        foreach (var path in new[] { $"statement?address={address}", $"balance?address={address}&at=2026-01-01T00:00:00Z", $"ledger/export?address={address}" })
        {
            using var refused = await member.GetAsync("/api/tokenomics/" + path);
            await refused.ProblemAsync(403, "identity.not_yours");
        }
        using var journal = await member.GetAsync("/api/tokenomics/ledger/export?all=true");
        await journal.ProblemAsync(403, "tokenomics.operators_only");
        using var reconciliation = await member.GetAsync("/api/tokenomics/reconciliation");
        Assert.That(reconciliation.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }

    [Test]
    public async Task Csv_and_json_exports_say_the_same()
    {
        using var answer = await _server.Client.GetAsync("/api/tokenomics/ledger/export?format=csv&all=true&to=" + Uri.EscapeDataString(TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)));
        Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/csv"));
        Assert.That(answer.Content.Headers.ContentDisposition!.FileName, Is.EqualTo("journal.csv").Or.EqualTo("\"journal.csv\""));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(text, Does.EndWith("\r\n"));
        var rows = text.Split("\r\n")[..^1].Select(r => r.Split(',')).ToArray();
        Assert.That(rows[0][..8], Is.EqualTo(new[] { "at", "transfer", "kind", "key", "address", "account", "amount", "balance_after" }));
        Assert.That(rows.Select(r => r.Length), Is.All.EqualTo(rows[0].Length));
        Assert.That(rows[1..].Sum(r => decimal.Parse(r[6], CultureInfo.InvariantCulture)), Is.Zero, "double entry");
        var json = (await _pool.GetAsync("/api/tokenomics/ledger/export?format=json&all=true")).AsArray();
        Assert.That(json.Take(rows.Length - 1).Select(l => (l!["transfer"]!.ToJsonString(), l["amount"]!.ToJsonString(), l["key"]!.GetValue<string>())),
            Is.EqualTo(rows[1..].Select(r => (r[1], r[6], r[3]))));
    }

    [Test]
    public async Task A_checkpoint_verifies_with_what_the_answer_holds()
    {
        await using (var scope = _server.Services.CreateAsyncScope())
        {
            scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
            await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new SealJournalCommand());
        }
        await using (var scope = _server.Services.CreateAsyncScope())
        {
            scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
            await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new CheckpointLedgerCommand());
        }
        var listed = (await _pool.GetAsync("/api/tokenomics/checkpoints"))["checkpoints"]!.AsArray();
        var checkpoint = await _pool.GetAsync($"/api/tokenomics/checkpoints/{listed[0]!["day"]}");
        Assert.That(checkpoint.ToJsonString(), Is.EqualTo(listed[0]!.ToJsonString()));
        using var key = ECDsa.Create();
        key.ImportFromPem(checkpoint["publicKey"]!.GetValue<string>());
        var signed = Encoding.UTF8.GetBytes(checkpoint["signed"]!.GetValue<string>());
        Assert.That(key.VerifyData(signed, Convert.FromBase64String(checkpoint["signature"]!.GetValue<string>()), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence), Is.True);
        Assert.That(Encoding.UTF8.GetString(signed), Does.Contain("\nhead " + checkpoint["headHash"]!.GetValue<string>() + "\n"));
        using var none = await _server.Client.GetAsync("/api/tokenomics/checkpoints/1999-01-01");
        await none.ProblemAsync(404, "tokenomics.checkpoint_not_found");
    }

    [Test]
    public async Task The_stats_have_the_names_of_the_wire_and_null_for_what_nobody_knows()
    {
        var stats = await _pool.GetAsync("/api/tokenomics/stats");
        Assert.That(stats.AsObject().Select(p => p.Key), Is.EqualTo(new[]
        {
            "totalSupply", "circulatingSupply", "stakedTokens", "activeStakers", "proposalsActive", "proposalsTotal", "marketCap", "stakingAPR", "tokens", "dao", "marketplace", "rewards",
        }));
        Assert.That(stats["tokens"]!.AsObject().Select(p => p.Key), Is.EqualTo(new[] { "totalSupply", "circulatingSupply", "marketCap", "price" }));
        Assert.That(stats["dao"]!.AsObject().Select(p => p.Key), Is.EqualTo(new[] { "proposals", "activeVotes", "totalVoters", "treasuryBalance" }));
        Assert.That(stats["marketplace"]!.AsObject().Select(p => p.Key), Is.EqualTo(new[] { "activeListings", "totalVolume", "avgPrice", "trades24h" }));
        Assert.That(stats["rewards"]!.AsObject().Select(p => p.Key), Is.EqualTo(new[] { "totalEarned", "computeRewards", "stakingRewards", "governanceRewards" }));
        Assert.That((stats["totalSupply"]!.GetValue<decimal>(), stats["stakingAPR"]!.GetValue<decimal>(), stats["marketplace"]!["activeListings"]!.GetValue<int>()), Is.EqualTo((1_000_000m, 5m, 1)));
        Assert.That(stats["tokens"]!["price"]!.GetValue<decimal>(), Is.Zero, "nothing was settled");
    }
}
