using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

public sealed class CheckpointTests
{
    private LedgerWorld _world = null!;
    private ManualTimeProvider _time = null!;

    [SetUp]
    public async Task SetUp() => _world = await LedgerWorld.CreateAsync(_time = new ManualTimeProvider());

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private async Task<DateOnly> DayAsync()
    {
        var requester = await _world.OpenAccountAsync();
        await _world.AdmitAsync(requester, 5_000_000);
        await _world.SealAllAsync();
        // Not sealed, so not part of it.
        await _world.AdmitAsync(requester, 1_000_000);
        return (await _world.SendAsync(new CheckpointLedgerCommand())).Day!.Value;
    }

    private async Task<string[]> AlarmsAsync() => [.. (await _world.SendAsync(new ReconcileLedgerCommand())).Differences.Select(d => d.Check).Distinct()];

    [Test]
    public async Task Each_day_gets_one_checkpoint_that_verifies()
    {
        Assert.That((await _world.SendAsync(new CheckpointLedgerCommand())).Day, Is.Null, "nothing is sealed");
        var first = await DayAsync();
        Assert.That((await _world.SendAsync(new CheckpointLedgerCommand())).Day, Is.Null, "the day has one");
        var early = await _world.SendAsync(new GetCheckpointQuery(first));
        await _world.SealAllAsync();
        _time.Advance(TimeSpan.FromDays(1));
        var second = (await _world.SendAsync(new CheckpointLedgerCommand())).Day;
        Assert.That(second, Is.EqualTo(first.AddDays(1)));
        var both = await _world.SendAsync(new ListCheckpointsQuery());
        Assert.That(both.Checkpoints.Select(c => c.Day), Is.EqualTo(new[] { second!.Value, first }));
        Assert.That(both.Checkpoints[1], Is.EqualTo(early));
        Assert.That(both.Checkpoints[0].BalancesHash, Is.Not.EqualTo(early.BalancesHash), "the later hold is in it");
        Assert.That((await _world.SendAsync(new ListCheckpointsQuery { Limit = 1 })).Next, Is.EqualTo(second));
        Assert.That(both.Checkpoints.Select(c => c.Supply), Is.All.EqualTo(1_000_000m));
        Assert.That(await AlarmsAsync(), Is.Empty);
        Assert.That(Assert.ThrowsAsync<FogException>(() => _world.SendAsync(new GetCheckpointQuery(first.AddDays(-1))))!.Error.Kind, Is.EqualTo(ErrorKind.NotFound));
        if (!OperatingSystem.IsWindows())
            Assert.That(File.GetUnixFileMode(_world.KeyFile), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    /// <summary>The balances of the journal up to the block, added up by another way than the product's.</summary>
    [Test]
    public async Task The_hash_of_the_balances_is_that_of_the_sealed_journal()
    {
        var day = await DayAsync();
        var text = await _world.ScalarAsync<string>(
            """
            SELECT string_agg(a.id || ' ' || a.kind || ' ' || coalesce(a.owner::text, '-') || ' ' || p.balance || E'\n', '' ORDER BY a.id) FROM (
                SELECT account_id, sum(amount) AS balance FROM tokenomics.postings WHERE transfer <= (SELECT max(last_transfer) FROM tokenomics.blocks) GROUP BY account_id HAVING sum(amount) <> 0) AS p
            JOIN tokenomics.accounts a ON a.id = p.account_id
            """);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.That((await _world.SendAsync(new GetCheckpointQuery(day))).BalancesHash, Is.EqualTo(Convert.ToHexStringLower(hash)));
    }

    [TestCase("UPDATE tokenomics.checkpoints SET supply = supply + 1", "checkpoint")]
    [TestCase("UPDATE tokenomics.checkpoints SET head_hash = sha256('x')", "checkpoint")]
    [TestCase("UPDATE tokenomics.checkpoints SET signature = sha256('x')", "checkpoint")]
    [TestCase("UPDATE tokenomics.blocks SET hash = sha256('x')", "chain,checkpoint")]
    public async Task Tampering_with_a_checkpoint_or_its_block_is_an_alarm(string sql, string checks)
    {
        await DayAsync();
        Assert.That(await AlarmsAsync(), Is.Empty);
        await _world.TamperAsync(sql);
        Assert.That(await AlarmsAsync(), Is.EquivalentTo(checks.Split(',')));
    }

    [Test]
    public async Task A_history_rewritten_with_all_its_hashes_and_anchors_still_differs_from_the_checkpoint()
    {
        await DayAsync();
        await _world.TamperAsync("DELETE FROM tokenomics.blocks; DELETE FROM tokenomics.block_totals; DELETE FROM tokenomics.reconciliations; UPDATE tokenomics.transfers SET created_at = created_at - interval '1 day'");
        await _world.SealAllAsync();
        Assert.That(await AlarmsAsync(), Is.EqualTo(new[] { "checkpoint" }));
    }

    [Test]
    public async Task A_former_key_counts_while_the_key_file_names_it()
    {
        var day = await DayAsync();
        var former = (await _world.SendAsync(new GetCheckpointQuery(day))).PublicKey;
        File.Delete(_world.KeyFile);
        using (var rotated = new Infrastructure.Tokenomics.LedgerKey(new Infrastructure.Tokenomics.LedgerKeyFile(_world.KeyFile)))
            Assert.That(rotated.Trusts((await _world.SendAsync(new GetCheckpointQuery(day))).KeyId), Is.False);
        await File.AppendAllTextAsync(_world.KeyFile, former + "\n");
        using var known = new Infrastructure.Tokenomics.LedgerKey(new Infrastructure.Tokenomics.LedgerKeyFile(_world.KeyFile));
        Assert.That(known.Trusts((await _world.SendAsync(new GetCheckpointQuery(day))).KeyId), Is.True);
        Assert.That(known.Trusts(LedgerCheckpoint.KeyIdOf(known.PublicKey)), Is.True);
    }
}
