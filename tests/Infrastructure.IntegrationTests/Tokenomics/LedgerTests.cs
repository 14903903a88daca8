using System.Text.Json;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

public sealed class LedgerTests
{
    private LedgerWorld _world = null!;

    [SetUp]
    public async Task SetUp() => _world = await LedgerWorld.CreateAsync();

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static AcceptedTask Task(JobId job, int index, AccountId requester, long cost, params AccountId[] owners) =>
        new(job, index, requester, cost, owners.Select((o, i) => new Payee(o, $"device-{i}", new AttemptId(new Guid(index, (short)i, 7, new byte[8])))).ToArray());

    private TasksAccepted Accepted(params AcceptedTask[] tasks) => new(tasks, _world.Now);

    private static FogException Refusal(Func<System.Threading.Tasks.Task> act) => Assert.ThrowsAsync<FogException>(act)!;

    private async Task RequireSoundAsync()
    {
        await _world.SealAllAsync();
        var audit = await _world.SendAsync(new AuditLedgerQuery());
        Assert.That(audit.Differences, Is.Empty);
        Assert.That(audit, Has.Property("Balanced").True.And.Property("Supply").EqualTo(1_000_000m).And.Property("Unsealed").Zero);
    }

    [Test]
    public async Task Genesis_in_the_migration_is_the_genesis_of_the_domain()
    {
        var recorded = await _world.ReadAsync(s => s.GetRequiredService<ILedger>().FindAsync(["genesis"], CancellationToken.None));
        Assert.That(recorded["genesis"].SaysTheSameAs(Genesis.Transfer(_world.Now)), Is.True);
        await RequireSoundAsync();
    }

    [Test]
    public async Task A_new_account_gets_100_credits_once()
    {
        var account = await _world.OpenAccountAsync();
        await _world.HappenAsync(new Application.Identity.Events.AccountOpened(account, LedgerWorld.AddressOf(account), _world.Now));
        Assert.That(await _world.BalanceAsync(account), Has.Property("Balance").EqualTo(100m).And.Property("Rewards").Zero.And.Property("Total").EqualTo(100m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task An_empty_faucet_still_opens_accounts()
    {
        await _world.TamperAsync("UPDATE tokenomics.accounts SET balance = 30000000 WHERE kind = 'Faucet'");
        var last = await _world.OpenAccountAsync();
        var none = await _world.OpenAccountAsync();
        Assert.That((await _world.BalanceAsync(last)).Balance, Is.EqualTo(30m));
        Assert.That((await _world.BalanceAsync(none)).Balance, Is.Zero);
    }

    [Test]
    public async Task A_job_is_held_settled_and_released_to_the_micro_credit()
    {
        var requester = await _world.OpenAccountAsync();
        var (first, second) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
        var job = await _world.AdmitAsync(requester, 10_000_000);
        Assert.That(await _world.BalanceAsync(requester), Has.Property("Balance").EqualTo(90m).And.Property("Held").EqualTo(10m).And.Property("Total").EqualTo(100m));

        await _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_001, first, second), Task(job, 1, requester, 2_000_000, first)));
        await _world.CloseAsync(job);

        Assert.That(await _world.BalanceAsync(requester), Has.Property("Balance").EqualTo(96.999999m).And.Property("Held").Zero);
        Assert.That(await _world.BalanceAsync(first), Has.Property("Balance").EqualTo(102.425m).And.Property("Rewards").EqualTo(2.425m));
        Assert.That((await _world.BalanceAsync(second)).Balance, Is.EqualTo(100.485m));
        var charges = await _world.ReadAsync(s => s.GetRequiredService<IJobCharges>().OfAsync([job], CancellationToken.None));
        Assert.That(charges[job], Is.EqualTo(new JobCharge(10m, 3.000001m, 6.999999m, 0m)));
        var audit = await _world.SendAsync(new AuditLedgerQuery());
        Assert.That(audit, Has.Property("Burned").EqualTo(0.03m).And.Property("Fees").EqualTo(0.060001m).And.Property("Circulating").EqualTo(299.97m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task Too_little_funds_refuses_the_hold_and_changes_nothing()
    {
        var requester = await _world.OpenAccountAsync();
        var refusal = Refusal(() => _world.AdmitAsync(requester, 100_000_001));
        Assert.That(refusal.Error, Has.Property("Code").EqualTo("tokenomics.insufficient_funds").And.Property("Message").Contains("100.000000").And.Property("Message").Contains("100.000001"));
        Assert.That(await _world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.holds"), Is.Zero);
        Assert.That((await _world.BalanceAsync(requester)).Balance, Is.EqualTo(100m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task Repeats_of_every_event_change_nothing()
    {
        var requester = await _world.OpenAccountAsync();
        var provider = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 5_000_000);
        await _world.AdmitAsync(job, requester, 5_000_000);
        var accepted = Accepted(Task(job, 0, requester, 1_000_000, provider));
        await _world.HappenAsync(accepted, accepted);
        await _world.HappenAsync(Accepted([.. accepted.Tasks, .. accepted.Tasks, Task(job, 1, requester, 1_000_000, provider)]));
        await _world.CloseAsync(job);
        await _world.CloseAsync(job);
        await _world.HappenAsync(accepted);
        Assert.That((await _world.BalanceAsync(requester)).Balance, Is.EqualTo(98m));
        Assert.That((await _world.BalanceAsync(provider)).Balance, Is.EqualTo(101.94m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task The_same_key_with_other_content_is_refused()
    {
        var requester = await _world.OpenAccountAsync();
        var provider = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 5_000_000);
        await _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_000, provider)));
        Assert.That(Refusal(() => _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_001, provider)))).Error.Code, Is.EqualTo("tokenomics.transfer_key_reused"));
        Assert.That(Refusal(() => _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_000, requester)))).Error.Code, Is.EqualTo("tokenomics.transfer_key_reused"));
        Assert.That(Refusal(() => _world.AdmitAsync(job, requester, 4_000_000)).Error.Code, Is.EqualTo("tokenomics.transfer_key_reused"));
        Assert.That(Refusal(() => _world.HappenAsync(Accepted(Task(JobId.New(_world.Now), 0, requester, 1, provider)))).Error.Code, Is.EqualTo("tokenomics.hold_missing"));
        await RequireSoundAsync();
    }

    [Test]
    public async Task A_cost_above_the_hold_is_settled_with_what_is_left()
    {
        var requester = await _world.OpenAccountAsync();
        var provider = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 1_500_000);
        await _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_000, provider), Task(job, 1, requester, 1_000_000, provider), Task(job, 2, requester, 1_000_000, provider)));
        Assert.That((await _world.BalanceAsync(provider)).Rewards, Is.EqualTo(1.455m));
        var lines = (await _world.SendAsync(new ListLedgerEntriesQuery(), requester)).Entries.Where(e => e.Kind == "settlement").ToArray();
        Assert.That(lines.Select(l => (l.TaskIndex, l.Amount, l.Shortfall)), Is.EqualTo(new (int?, decimal, decimal?)[] { (1, -0.5m, 0.5m), (0, -1m, 0m) }));
        Assert.That(await _world.ScalarAsync<string>("SELECT cause->>'shortfall' FROM tokenomics.transfers WHERE task_index = 2"), Is.EqualTo("1000000"));
        await RequireSoundAsync();
    }

    [Test]
    public async Task The_same_acceptance_from_many_connections_is_paid_once()
    {
        var requester = await _world.OpenAccountAsync();
        var provider = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 50_000_000);
        var accepted = Accepted(Enumerable.Range(0, 40).Select(i => Task(job, i, requester, 1_000_000, provider)).ToArray());
        await System.Threading.Tasks.Task.WhenAll(Enumerable.Range(0, 8).Select(_ => System.Threading.Tasks.Task.Run(() => _world.HappenAsync(accepted))));
        Assert.That((await _world.BalanceAsync(provider)).Rewards, Is.EqualTo(38.8m));
        await RequireSoundAsync();
    }

    [Test]
    public async Task The_same_transfers_posted_from_many_connections_move_balances_once()
    {
        var owners = new List<AccountId>();
        for (var i = 0; i < 4; i++)
            owners.Add(await _world.OpenAccountAsync());
        var transfers = Enumerable.Range(0, 50).Select(i => Transfer.Create(TransferKind.Settlement, $"test:{i}",
            [new(LedgerAccount.Available(owners[i % 4]), -1_000), new(LedgerAccount.System(AccountKind.Fees), 1_000)], _world.Now)).ToArray();
        var counts = await System.Threading.Tasks.Task.WhenAll(Enumerable.Range(0, 8).Select(n => System.Threading.Tasks.Task.Run(() =>
            _world.InTransactionAsync(s => s.GetRequiredService<ILedger>().PostAsync(n % 2 == 0 ? transfers : transfers.Reverse().ToArray(), [], CancellationToken.None)))));
        Assert.That(counts.Sum(), Is.EqualTo(50));
        Assert.That(await _world.ScalarAsync<long>("SELECT balance FROM tokenomics.accounts WHERE kind = 'Fees'"), Is.EqualTo(50_000));
        var other = Transfer.Create(TransferKind.Settlement, "test:0", [new(LedgerAccount.Available(owners[0]), -2), new(LedgerAccount.System(AccountKind.Fees), 2)], _world.Now);
        Assert.That(Refusal(() => _world.InTransactionAsync(s => s.GetRequiredService<ILedger>().PostAsync([other], [], CancellationToken.None))).Error.Code, Is.EqualTo("tokenomics.transfer_key_reused"));
        await RequireSoundAsync();
        Assert.That(await _world.DeadlocksAsync(), Is.Zero);
    }

    [Test]
    public void A_transfer_with_an_unknown_account_is_refused()
    {
        var nobody = AccountId.New(_world.Now);
        Assert.That(Refusal(() => _world.AdmitAsync(nobody, 0)).Error.Code, Is.EqualTo("tokenomics.account_missing"));
    }

    [TestCase("UPDATE tokenomics.postings SET amount = amount + 1", PostgresErrorCodes.RestrictViolation)]
    [TestCase("DELETE FROM tokenomics.postings", PostgresErrorCodes.RestrictViolation)]
    [TestCase("TRUNCATE tokenomics.postings", PostgresErrorCodes.RestrictViolation)]
    [TestCase("UPDATE tokenomics.transfers SET cause = '{}'", PostgresErrorCodes.RestrictViolation)]
    [TestCase("DELETE FROM tokenomics.transfers", PostgresErrorCodes.RestrictViolation)]
    [TestCase("DELETE FROM tokenomics.blocks", PostgresErrorCodes.RestrictViolation)]
    [TestCase("DELETE FROM tokenomics.accounts WHERE id = 8", PostgresErrorCodes.RestrictViolation)]
    [TestCase("UPDATE tokenomics.accounts SET kind = 'Treasury' WHERE id = 8", PostgresErrorCodes.RestrictViolation)]
    [TestCase("UPDATE tokenomics.accounts SET balance = -1 WHERE id = 8", PostgresErrorCodes.CheckViolation)]
    [TestCase("UPDATE tokenomics.accounts SET balance = -1000000000001 WHERE id = 1", PostgresErrorCodes.CheckViolation)]
    [TestCase("INSERT INTO tokenomics.postings VALUES (1, 6, 5, 5, now()), (1, 7, -4, -4, now())", PostgresErrorCodes.CheckViolation)]
    public void The_database_itself_refuses(string sql, string state) =>
        Assert.That(Assert.ThrowsAsync<PostgresException>(() => _world.SqlAsync(sql))!.SqlState, Is.EqualTo(state));

    [Test]
    public async Task A_balance_is_shown_to_its_owner_and_to_operators_only()
    {
        var (mine, other) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
        Assert.That((await _world.SendAsync(new GetBalanceQuery { Address = LedgerWorld.AddressOf(mine) }, mine)).Address, Is.EqualTo(LedgerWorld.AddressOf(mine)));
        Assert.That(Refusal(() => _world.SendAsync(new GetBalanceQuery { Address = LedgerWorld.AddressOf(other) }, mine)).Error.Kind, Is.EqualTo(ErrorKind.Forbidden));
        Assert.That(Refusal(() => _world.SendAsync(new ListLedgerEntriesQuery { Address = LedgerWorld.AddressOf(other) }, mine)).Error.Kind, Is.EqualTo(ErrorKind.Forbidden));
        Assert.That(Refusal(() => _world.SendAsync(new GetBalanceQuery { Address = "fog1nobody" }, mine)).Error.Kind, Is.EqualTo(ErrorKind.NotFound));
        Assert.That((await _world.SendAsync(new GetBalanceQuery { Address = LedgerWorld.AddressOf(other) })).Balance, Is.EqualTo(100m));
        Assert.That(Refusal(() => _world.SendAsync(new AuditLedgerQuery(), mine)).Error.Kind, Is.EqualTo(ErrorKind.Forbidden));
    }

    [Test]
    public async Task The_balance_has_the_names_and_six_places_of_the_wire()
    {
        var mine = await _world.OpenAccountAsync();
        var json = JsonSerializer.Serialize(await _world.BalanceAsync(mine), JsonSerializerOptions.Web);
        using var document = JsonDocument.Parse(json);
        Assert.That(document.RootElement.EnumerateObject().Select(p => p.Name), Is.SupersetOf(new[] { "address", "balance", "staked", "total", "rewards", "updated_at", "updatedAt" }));
        Assert.That(document.RootElement.GetProperty("balance").GetRawText(), Is.EqualTo("100.000000"));
    }

    [Test]
    public async Task Entries_page_without_gaps_or_repeats_while_lines_are_added()
    {
        var requester = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 50_000_000);
        await _world.HappenAsync(Accepted(Enumerable.Range(0, 25).Select(i => Task(job, i, requester, 1_000_000, requester)).ToArray()));
        var all = (await _world.SendAsync(new ListLedgerEntriesQuery { Limit = 1000 }, requester)).Entries;
        Assert.That(all, Has.Count.EqualTo(1 + 2 + 50));
        var seen = new List<LedgerEntryDto>();
        string? cursor = null;
        do
        {
            var page = await _world.SendAsync(new ListLedgerEntriesQuery { Limit = 7, Cursor = cursor }, requester);
            Assert.That(page.Entries, Has.Count.LessThanOrEqualTo(7));
            seen.AddRange(page.Entries);
            cursor = page.Next;
            await _world.HappenAsync(Accepted(Task(job, 100 + seen.Count, requester, 10, requester)));
        }
        while (cursor is not null);
        Assert.That(seen.Select(Line), Is.EqualTo(all.Select(Line)));
        Assert.That(Refusal(() => _world.SendAsync(new ListLedgerEntriesQuery { Limit = 1001, Cursor = "x" }, requester)).Fields.Keys, Is.EquivalentTo(new[] { "limit", "cursor" }));

        static string Line(LedgerEntryDto e) => $"{e.At:O} {e.Kind} {e.Account} {e.Counterpart} {e.Amount} {e.TaskIndex}";
    }

    [Test]
    public async Task A_payee_sees_its_own_machines_only_and_the_payer_sees_all()
    {
        var (requester, first, second) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
        var job = await _world.AdmitAsync(requester, 5_000_000);
        await _world.HappenAsync(Accepted(Task(job, 0, requester, 1_000_000, first, second)));
        var paid = (await _world.SendAsync(new ListLedgerEntriesQuery(), second)).Entries[0];
        Assert.That(paid, Has.Property("Amount").EqualTo(0.485m).And.Property("Account").EqualTo("available").And.Property("Counterpart").EqualTo("held").And.Property("JobId").EqualTo(job.Value));
        Assert.That(paid.Replicas!.Select(r => r.DeviceId), Is.EqualTo(new[] { "device-1" }));
        var charged = (await _world.SendAsync(new ListLedgerEntriesQuery(), requester)).Entries[0];
        Assert.That(charged.Replicas!.Select(r => r.DeviceId), Is.EqualTo(new[] { "device-0", "device-1" }));
    }
}
