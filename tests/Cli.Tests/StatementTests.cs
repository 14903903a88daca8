using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using FogCompute.Cli.Commands.Dao;

namespace FogCompute.Cli.Tests;

/// <summary><c>fog statement</c>, <c>fog ledger checkpoints</c> and <c>fog ledger verify</c>.</summary>
[TestFixture]
internal sealed class StatementTests : DaoFixture
{
    private const string Settled = $$"""
        {"at":"2026-01-02T03:04:05Z","transfer":7,"kind":"settlement","account":"available","amount":0.000123,"balanceAfter":100.000123,
         "cause":{"jobId":"{{JobId}}","taskIndex":3,"deviceId":"ada","attemptId":"a-1","deviceScore":812.5,"seconds":1.92,"cores":2,"memoryGib":0.5,"tier":"silver","multiplier":2.5,
                  "verification":"2 of 2 agreed","formulaVersion":4,"cost":0.0003,"shortfall":0,"proposalId":null,"slashId":null} }
        """;

    private static string Page(string lines, string next, string opening = """{"total":100,"available":100,"held":0}""", string closing = """{"total":99.000123,"available":99.000123,"held":0}""") =>
        $$"""{"address":"{{Me}}","from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z","opening":{{opening}},"closing":{{closing}},"lines":[{{lines}}],"next":{{next}} }""";

    private void GiveStatement() => Plane
        .On("GET", Root + "statement", Page(Settled, "\"c1\"").Replace("2026-02-01T00:00:00Z", "2026-01-20T00:00:00Z"))
        .On("GET", Root + "statement", Page("""{"at":"2026-01-03T00:00:00Z","transfer":8,"kind":"stake","account":"available","amount":-1,"balanceAfter":99.000123,"cause":null}""", "null"));

    [Test]
    public async Task Tells_every_line_with_its_cause_in_words()
    {
        GiveStatement();
        var ran = await RunAsync("statement", "--from", "2026-01-01", "--to", "2026-01-31");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(Plane.Requests.Select(r => Uri.UnescapeDataString(r.Query)), Is.EqualTo(new[]
        {
            "?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&limit=1000", "?from=2026-01-01T00:00:00Z&limit=1000&to=2026-01-20T00:00:00Z&cursor=c1",
        }), "a day as the end is in it; the other pages end where the first one says");
        Assert.That(ran.Out, Does.Contain($"Statement of {Me}, 2026-01-01 00:00:00Z to 2026-01-20 00:00:00Z").And.Contain("Opening: 100.000000 total, 100.000000 available, 0.000000 held"));
        Assert.That(ran.Out, Does.Contain("Closing: 99.000123 total, 99.000123 available, 0.000000 held, after 2 lines\nIt adds up, account by account."));
        Assert.That(ran.Out, Does.Match($@"2026-01-02 03:04:05Z +available +\+0\.000123 +100\.000123 +settlement: task 3 of job {JobId} on ada \(score 812\.5\), "
            + @"1\.92 s × \(2 cores \+ 0\.5 GiB\) at silver × 2\.5, 2 of 2 agreed, cost 0\.000300, prices of version 4"));
        Assert.That(ran.Out, Does.Match(@"available +-1\.000000 +99\.000123 +stake *\n"));
    }

    [Test]
    public async Task Ends_with_1_and_names_the_account_when_a_statement_does_not_add_up()
    {
        Plane.On("GET", Root + "statement", Page(Settled, "null", closing: """{"total":100.000123,"available":100,"held":0.000123}"""));
        var ran = await RunAsync("statement");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Out, Does.Contain("It does NOT add up.\n  available: opening and lines make 100.000123, the closing balance says 100.000000\n  held: opening and lines make 0.000000, the closing balance says 0.000123"));
        Assert.That((await RunAsync("statement", "--json")).ExitCode, Is.EqualTo(1));
    }

    [Test]
    public async Task Tells_it_line_by_line_where_the_table_does_not_fit()
    {
        Columns = 80;
        GiveStatement();
        var ran = await RunAsync(terminal: true, "", "statement");
        Assert.That(ran.Out, Does.Contain("2026-01-02 03:04:05Z  +0.000123 available, now 100.000123\n  settlement: task 3 of job"));
    }

    [Test]
    public async Task With_json_all_pages_are_one_document()
    {
        GiveStatement();
        var ran = await RunAsync("statement", "--json");
        Assert.That(ran.Json["lines"]!.AsArray(), Has.Count.EqualTo(2));
        Assert.That(((decimal?)ran.Json["opening"]!["total"], (decimal?)ran.Json["closing"]!["total"], ran.Json["next"]), Is.EqualTo((100m, 99.000123m, (JsonNode?)null)));
    }

    [TestCase("""{"kind":"faucet_grant","cause":null}""", "faucet grant")]
    [TestCase("""{"kind":"settlement","cause":{"jobId":"j","taskIndex":0,"deviceId":"ada","seconds":1,"cores":1,"memoryGib":0.25,"tier":"bronze","multiplier":1,"cost":0.000010,"shortfall":0.000004} }""",
        "settlement: task 0 of job j on ada, 1 s × (1 core + 0.25 GiB) at bronze × 1, cost 0.000010, of which the hold did not cover 0.000004")]
    [TestCase("""{"kind":"settlement","cause":{"jobId":"j","taskIndex":0,"deviceId":null,"replicas":[{"deviceId":"ada"},{"deviceId":"bob"}],"cost":1} }""", "settlement: task 0 of job j on ada, bob, cost 1.000000")]
    [TestCase("""{"kind":"slash","cause":{"deviceId":null,"reason":"wrong_result","slashId":"s"} }""", "slash: wrong result, slash s")]
    [TestCase("""{"kind":"hold","cause":{"jobId":"j"} }""", "hold: job j")]
    [TestCase("""{"kind":"slash","cause":{"jobId":"j","taskIndex":2,"deviceId":"bob","slashId":"s"} }""", "slash: task 2 of job j on bob, slash s")]
    [TestCase("""{"kind":"treasury_grant","cause":{"proposalId":"p"} }""", "treasury grant: proposal p")]
    public void Puts_a_cause_into_words(string line, string words) => Assert.That(StatementCommand.Why(JsonNode.Parse(line)!), Is.EqualTo(words));

    [Test]
    public async Task Tells_of_an_account_from_its_beginning()
    {
        Plane.On("GET", Root + "statement", Page("", "null", "0", "1.5").Replace("\"from\":\"2026-01-01T00:00:00Z\"", "\"from\":null"));
        Assert.That((await RunAsync("statement")).Out, Does.Contain("the beginning to 2026-02-01").And.Contain("Opening: 0.000000 credits").And.Contain("Closing: 1.500000 credits, after 0 lines"));
    }

    [Test]
    public async Task Writes_a_csv_file_as_it_comes()
    {
        var csv = "at,kind,amount\r\n2026-01-02T03:04:05Z,settlement,0.000123\r\n"u8.ToArray();
        Plane.On("GET", Root + "ledger/export", async context =>
        {
            context.Response.ContentType = "text/csv";
            await context.Response.Body.WriteAsync(csv);
        });
        var ran = await RunAsync("statement", "--from", "2026-01-01", "--csv", "out/january.csv");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(await File.ReadAllBytesAsync(Path.Combine(Folder, "out", "january.csv")), Is.EqualTo(csv));
        Assert.That(Uri.UnescapeDataString(Plane.Requests.Single().Query), Is.EqualTo("?from=2026-01-01T00:00:00Z&format=csv"));
    }

    [Test]
    public async Task Leaves_no_file_when_the_export_breaks_off()
    {
        Plane.On("GET", Root + "ledger/export", async context =>
        {
            await context.Response.Body.WriteAsync("at,kind"u8.ToArray());
            await context.Response.Body.FlushAsync();
            context.Abort();
        });
        var ran = await RunAsync("statement", "--csv", "january.csv");
        Assert.That(ran.ExitCode, Is.EqualTo(8), ran.Error);
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [TestCase("statement --from yesterday"), TestCase("statement --from 2026-01-02 --to 2026-01-01"), TestCase("ledger verify no-such-file"), TestCase("ledger verify")]
    public async Task Refuses_a_wrong_command_line_before_anything_is_sent(string line)
    {
        var ran = await RunAsync(line.Split(' '));
        Assert.That(ran.ExitCode, Is.EqualTo(2), ran.Error);
        Assert.That(Plane.Requests, Is.Empty);
    }

    [Test]
    public async Task Lists_checkpoints_without_their_proofs()
    {
        Plane.On("GET", Root + "checkpoints", """{"checkpoints":[{"day":"2026-01-31","block":9,"headHash":"abcd","signed":"t","signature":"SIGNATURE","publicKey":"KEY"}],"next":"2026-01-31"}""")
            .On("GET", Root + "checkpoints", """{"checkpoints":[{"day":"2026-01-30","block":8,"headHash":"ef01","signed":"t","signature":"SIGNATURE","publicKey":"KEY"}],"next":null}""");
        var ran = await RunAsync("ledger", "checkpoints");
        Assert.That(ran.Out, Does.Match(@"day +block +head hash").And.Match(@"2026-01-31 +9 +abcd").And.Match(@"2026-01-30 +8 +ef01").And.Not.Contain("SIGNATURE"));
        Assert.That(Plane.Requests.Select(r => r.Query), Is.EqualTo(new[] { "", "?before=2026-01-31" }));
    }

    private static (string Checkpoint, string Key) Signed(string text, string? shown = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var signature = Convert.ToBase64String(key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        var publicKey = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
        return (new JsonObject
        {
            ["day"] = "2026-01-31", ["signed"] = shown ?? text, ["signature"] = signature, ["publicKey"] = key.ExportSubjectPublicKeyInfoPem(),
        }.ToJsonString(), publicKey);
    }

    [Test]
    public async Task Refuses_a_checkpoint_of_another_day()
    {
        Plane.On("GET", Root + "checkpoints/2026-01-31", Signed("day 2026-01-30").Checkpoint);
        var ran = await RunAsync("ledger", "verify", "2026-01-31");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("is not of 2026-01-31"));
    }

    [Test]
    public async Task Verifies_a_day_with_the_key_that_comes_with_it_and_says_that_it_did()
    {
        var (checkpoint, key) = Signed("fog checkpoint\nday 2026-01-31\nhead äöü\n");
        Plane.On("GET", Root + "checkpoints/2026-01-31", checkpoint);
        var ran = await RunAsync("ledger", "verify", "2026-01-31");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out, Does.Contain("The signature is good.").And.Contain("  day 2026-01-31\n  head äöü\n").And.Contain(Convert.ToHexStringLower(SHA256.HashData(Convert.FromBase64String(key)))));
        Assert.That(ran.Error, Does.Contain("The key came with the checkpoint."));
        Assert.That((bool?)(await RunAsync("ledger", "verify", "2026-01-31", "--json")).Json["verified"], Is.True);
    }

    [Test]
    public async Task Verifies_a_kept_file_with_a_key_of_ones_own_without_a_server()
    {
        var (checkpoint, key) = Signed("day 2026-01-31");
        await File.WriteAllTextAsync(Path.Combine(Folder, "kept.json"), checkpoint);
        await File.WriteAllTextAsync(Path.Combine(Folder, "pool.key"), key + "\n");
        var file = await RunAsync("ledger", "verify", "kept.json", "--key", "pool.key");
        var text = await RunAsync("ledger", "verify", "kept.json", "--key", key);
        Assert.That((file.ExitCode, text.ExitCode), Is.EqualTo((0, 0)), file.Error + text.Error);
        Assert.That(file.Error, Does.Not.Contain("came with"));
        Assert.That(Plane.Requests, Is.Empty);
    }

    [Test]
    public async Task Refuses_a_changed_text_and_another_ones_key()
    {
        var (changed, _) = Signed("supply 1000000", shown: "supply 1000001");
        var (good, _) = Signed("supply 1000000");
        var (_, otherKey) = Signed("x");
        await File.WriteAllTextAsync(Path.Combine(Folder, "changed.json"), changed);
        await File.WriteAllTextAsync(Path.Combine(Folder, "good.json"), good);
        foreach (var args in new string[][] { ["changed.json"], ["good.json", "--key", otherKey] })
        {
            var ran = await RunAsync(["ledger", "verify", .. args]);
            Assert.That(ran.ExitCode, Is.EqualTo(1));
            Assert.That(ran.Error, Does.Contain("does NOT fit"));
        }
    }

    [TestCase("""{"signature":"AAAA","publicKey":"AAAA"}""", "no 'signed'"), TestCase("""{"signed":"t","signature":"AAAA","publicKey":"AAAA"}""", "public key is none"),
     TestCase("""{"signed":"t","signature":"AAAA","publicKey":"%"}""", "public key is not base64")]
    public async Task Says_what_a_damaged_checkpoint_lacks(string checkpoint, string reason)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "c.json"), checkpoint);
        var ran = await RunAsync("ledger", "verify", "c.json");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain(reason));
    }
}
