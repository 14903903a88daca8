using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>What an owner can check: balances at any instant, statements whose lines explain themselves, exports that say the same.</summary>
public sealed class StatementTests
{
    private LedgerWorld _world = null!;
    private ManualTimeProvider _time = null!;

    [SetUp]
    public async Task SetUp() => _world = await LedgerWorld.CreateAsync(_time = new ManualTimeProvider());

    [TearDown]
    public async Task TearDown() => await _world.DisposeAsync();

    private static Metering Metered(long ms, long cap) => new(ms, 2_500, 3L << 29, SlaTier.Gold, 50, 100_000, 50_000, 7, cap, 3, true);

    private Task SettleAsync(JobId job, int index, AccountId requester, Metering metering, params AccountId[] owners) => _world.HappenAsync(new TasksAccepted(
        [new(job, index, requester, metering.CostMicro(), owners.Select((o, i) => new Payee(o, $"device-{i}", AttemptId.New(_world.Now), 1_000.5 + i, 61_000 + i)).ToArray(), metering)], _world.Now));

    [Test]
    public async Task Balances_are_known_at_every_instant_of_the_past_and_refused_for_the_future()
    {
        var before = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromHours(1));
        var owner = await _world.OpenAccountAsync();
        var opened = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromHours(1));
        var job = await _world.AdmitAsync(owner, 10_000_000);
        var held = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromDays(3));
        await _world.CloseAsync(job);

        async Task<(decimal, decimal, decimal)> AtAsync(DateTimeOffset at)
        {
            var balance = await _world.SendAsync(new GetBalanceQuery { At = at }, owner);
            return (balance.Balance, balance.Held, balance.Total);
        }

        Assert.That(await AtAsync(before), Is.EqualTo((0m, 0m, 0m)));
        Assert.That(await AtAsync(opened.AddMicroseconds(-1)), Is.EqualTo((0m, 0m, 0m)));
        Assert.That(await AtAsync(opened), Is.EqualTo((100m, 0m, 100m)));
        Assert.That(await AtAsync(held.AddMicroseconds(-1)), Is.EqualTo((100m, 0m, 100m)));
        Assert.That(await AtAsync(held), Is.EqualTo((90m, 10m, 100m)));
        Assert.That(await AtAsync(_time.GetUtcNow().AddMicroseconds(-1)), Is.EqualTo((90m, 10m, 100m)));
        Assert.That(await AtAsync(_time.GetUtcNow()), Is.EqualTo((100m, 0m, 100m)));
        var refusal = Assert.ThrowsAsync<FogException>(() => AtAsync(_time.GetUtcNow().AddSeconds(1)))!;
        Assert.That((refusal.Error.Kind, refusal.Fields.Keys.Single()), Is.EqualTo((ErrorKind.Invalid, "at")));
    }

    [Test]
    public async Task A_statement_adds_up_page_by_page_and_explains_every_payment()
    {
        var (requester, first, second) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
        _time.Advance(TimeSpan.FromMinutes(1));
        var from = _time.GetUtcNow();
        var job = await _world.AdmitAsync(requester, 50_000_000);
        for (var i = 0; i < 9; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(i % 3));
            await SettleAsync(job, i, requester, Metered(61_001 + (i * 977), 900_000), first, second, requester);
        }
        await _world.CloseAsync(job);
        _time.Advance(TimeSpan.FromMinutes(1));
        var to = _time.GetUtcNow();
        var later = await _world.AdmitAsync(requester, 1_000_000);
        Assert.That(later, Is.Not.Null);

        var lines = new List<StatementLineDto>();
        string? cursor = null;
        StatementDto page;
        do
        {
            page = await _world.SendAsync(new GetStatementQuery { From = from, To = to, Limit = 4, Cursor = cursor }, requester);
            lines.AddRange(page.Lines);
            cursor = page.Next;
        }
        while (cursor is not null);

        // Hold and release have two lines each; a settlement debits the hold, and pays this requester for its own machine.
        Assert.That(lines, Has.Count.EqualTo(2 + 18 + 2));
        Assert.That((page.Opening.Total, page.Opening.Available), Is.EqualTo((100m, 100m)));
        Assert.That(page.Opening.Total + lines.Sum(l => l.Amount), Is.EqualTo(page.Closing.Total));
        Assert.That(page.Closing.Held, Is.Zero);
        foreach (var account in lines.GroupBy(l => l.Account))
        {
            var running = account.Key == "available" ? page.Opening.Available : page.Opening.Held;
            foreach (var line in account)
                Assert.That(running += line.Amount, Is.EqualTo(line.BalanceAfter));
            Assert.That(running, Is.EqualTo(account.Key == "available" ? page.Closing.Available : page.Closing.Held));
        }
        foreach (var line in lines.Where(l => l.Kind == "settlement"))
        {
            Assert.That(Recomputed(line), Is.EqualTo(line.Amount));
            Assert.That((line.Cause!.Verification, line.Cause.FormulaVersion, line.Cause.Tier), Is.EqualTo(("3 of 3 agreed, audited", 7L, "gold")));
        }
        // To a payee: its own machine only, and that in full.
        var paid = (await _world.SendAsync(new GetStatementQuery { From = from, To = to }, first)).Lines;
        Assert.That(paid, Has.Count.EqualTo(9));
        foreach (var line in paid)
        {
            Assert.That(Recomputed(line), Is.EqualTo(line.Amount));
            Assert.That((line.Cause!.DeviceId, line.Cause.DeviceScore, line.Cause.Replicas!.Single().Seconds), Is.EqualTo(("device-0", 1_000.5, 61.000m)));
        }
        // Periods follow each other without gap or overlap.
        var next = await _world.SendAsync(new GetStatementQuery { From = to }, requester);
        Assert.That(next.Opening, Is.EqualTo(page.Closing));
        Assert.That(next.Lines.Select(l => l.Kind), Is.EqualTo(new[] { "hold", "hold" }));
    }

    /// <summary>From the line's own fields, by the formulas in docs/economics.md.</summary>
    private static decimal Recomputed(StatementLineDto line)
    {
        var c = line.Cause!;
        var price = Math.Max(1, Math.Ceiling((c.Cores!.Value * c.CoreHour!.Value + c.MemoryGib!.Value * c.GibHour!.Value) * 1_000_000m * c.Multiplier!.Value * c.Seconds!.Value / 3_600m));
        var cost = Math.Min(c.Cap!.Value * 1_000_000m, price);
        Assert.That(cost, Is.EqualTo(c.Cost!.Value * 1_000_000m));
        var charge = cost - (c.Shortfall!.Value * 1_000_000m);
        if (line.Account == "held")
            return -charge / 1_000_000m;
        return Math.Floor(Math.Floor(charge * c.ProviderShare!.Value) / c.Agreeing!.Value) * c.Replicas!.Count / 1_000_000m;
    }

    [Test]
    public async Task An_export_has_the_lines_of_the_statement_and_operators_get_the_whole_journal()
    {
        var (requester, provider) = (await _world.OpenAccountAsync(), await _world.OpenAccountAsync());
        var job = await _world.AdmitAsync(requester, 50_000_000);
        await SettleAsync(job, 0, requester, Metered(61_001, 900_000), provider);
        _time.Advance(TimeSpan.FromSeconds(1));
        var lines = (await _world.SendAsync(new GetStatementQuery { Limit = 1000 }, requester)).Lines;
        var exported = await ExportAsync(new ExportLedgerQuery(), requester);
        Assert.That(exported.Select(e => (e.Transfer, e.Account, e.Amount, e.BalanceAfter)), Is.EqualTo(lines.Select(l => (l.Transfer, l.Account, l.Amount, l.BalanceAfter))));
        var journal = await ExportAsync(new ExportLedgerQuery { All = true });
        Assert.That(journal, Has.Count.EqualTo(await _world.ScalarAsync<long>("SELECT count(*) FROM tokenomics.postings")));
        Assert.That(journal.GroupBy(e => e.Transfer).Select(t => t.Sum(e => e.Amount)), Is.All.Zero);
        Assert.That(journal.Select(e => e.Address), Has.Some.Null.And.Some.EqualTo(LedgerWorld.AddressOf(provider)));
        Assert.That(Assert.ThrowsAsync<FogException>(() => ExportAsync(new ExportLedgerQuery { All = true }, requester))!.Error.Kind, Is.EqualTo(ErrorKind.Forbidden));
    }

    private Task<List<ExportedLine>> ExportAsync(ExportLedgerQuery query, AccountId caller = default) => _world.SendAsync(query, caller, async export =>
    {
        var lines = new List<ExportedLine>();
        await foreach (var line in export.Lines)
            lines.Add(line);
        return lines;
    });

    /// <summary>Prints the plan that docs/economics.md quotes.</summary>
    [Test, Explicit("A measurement, not a check")]
    public async Task A_balance_among_a_million_postings()
    {
        var owner = await _world.OpenAccountAsync();
        await _world.TamperAsync(
            "INSERT INTO tokenomics.postings SELECT 1000 + n, (SELECT id FROM tokenomics.accounts WHERE kind = 'Available'), 1, 100000000 + n, '2030-01-01 12:00:01Z'::timestamptz + n * interval '1 second' "
            + "FROM generate_series(1, 1000000) AS n");
        await _world.SqlAsync("ANALYZE tokenomics.postings");
        _time.Advance(TimeSpan.FromDays(300));
        var at = new DateTimeOffset(2030, 1, 1, 12, 0, 1, TimeSpan.Zero).AddSeconds(333_333);
        Assert.That((await _world.SendAsync(new GetBalanceQuery { At = at }, owner)).Balance, Is.EqualTo(100.333333m));
        await using var explain = _world.DataSource.CreateCommand(
            $"""
            EXPLAIN (ANALYZE, BUFFERS) SELECT a.kind, last.balance, last.at FROM tokenomics.accounts a
            CROSS JOIN LATERAL (SELECT balance, at FROM tokenomics.postings WHERE account_id = a.id AND at <= '{at:O}' ORDER BY at DESC, transfer DESC LIMIT 1) AS last WHERE a.owner = '{owner}'
            """);
        await using var plan = await explain.ExecuteReaderAsync();
        while (await plan.ReadAsync())
            TestContext.Out.WriteLine(plan.GetString(0));
        TestContext.Out.WriteLine($"the reconciler's checks: {(await _world.SendAsync(new ReconcileLedgerCommand())).ElapsedMs} ms");
    }

    [Test]
    public async Task A_cause_without_measurements_still_reads()
    {
        var requester = await _world.OpenAccountAsync();
        var job = await _world.AdmitAsync(requester, 5_000_000);
        await _world.TamperAsync($"INSERT INTO tokenomics.transfers (kind, idempotency_key, job_id, task_index, cause, created_at) VALUES ('Settlement', 'old', '{job}', 0, " +
            $$"""'{"cost":5,"shortfall":0,"payees":[{"owner":"{{requester}}","device":"d","attempt":"00000000-0000-7000-8000-000000000001","amount":4}]}', now()); """ +
            "INSERT INTO tokenomics.postings SELECT (SELECT max(number) FROM tokenomics.transfers), id, 4, balance + 4, updated_at + interval '1 microsecond' FROM tokenomics.accounts WHERE kind = 'Available'");
        _time.Advance(TimeSpan.FromSeconds(1));
        var line = (await _world.SendAsync(new GetStatementQuery(), requester)).Lines[^1];
        Assert.That(line.Cause, Has.Property("DeviceId").EqualTo("d").And.Property("Cost").EqualTo(0.000005m).And.Property("Seconds").Null.And.Property("Verification").Null);
    }

    [Test]
    public async Task A_hold_that_outlives_its_job_is_an_alarm()
    {
        var requester = await _world.OpenAccountAsync();
        await _world.AdmitAsync(requester, 5_000_000);
        _time.Advance(TimeSpan.FromDays(7) + TimeSpan.FromMinutes(9));
        Assert.That((await _world.SendAsync(new ReconcileLedgerCommand())).Differences, Is.Empty);
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.That((await _world.SendAsync(new ReconcileLedgerCommand())).Differences.Select(d => d.Check), Is.EqualTo(new[] { "hold_overdue" }));
    }
}
