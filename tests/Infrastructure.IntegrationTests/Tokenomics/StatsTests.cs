using System.Text.RegularExpressions;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Scheduler;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

public sealed class StatsTests
{
    /// <summary>The very query that the documentation gives to readers.</summary>
    private static string DocumentedQuery()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "economics.md"));
        return Regex.Matches(page, "```sql\n(.*?)```", RegexOptions.Singleline, TimeSpan.FromSeconds(5)).Select(m => m.Groups[1].Value).Single(q => q.Contains("trades_24h", StringComparison.Ordinal));
    }

    [Test]
    public async Task The_stats_are_what_the_documented_query_finds_in_the_journal()
    {
        // Two days by the product's clock, which ends where the database's is: the query says now().
        var time = new ManualTimeProvider(TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(2));
        await using var world = await LedgerWorld.CreateAsync(time);
        var empty = await world.SendAsync(new GetTokenomicsStatsQuery());
        Assert.That((empty.Tokens.Price, empty.MarketCap, empty.ProposalsTotal, empty.Marketplace.AvgPrice), Is.EqualTo((0m, 0m, 0L, 0m)), "clients read numbers");
        var (requester, provider) = (await world.OpenAccountAsync(), await world.OpenAccountAsync());
        var job = await world.AdmitAsync(requester, 60_000_000);
        for (var i = 0; i < 7; i++)
        {
            var metering = new Metering(3_600_000 + i, 1_000 * (i + 1), 1L << 30, SlaTier.Silver, 25, 100_000, 50_000, 0, 9_000_000, 2, false);
            var payees = new[] { provider, requester }.Select((o, n) => new Payee(o, $"d{n}", AttemptId.New(world.Now), 5, 3_600_000)).ToArray();
            // The last one as from before measurements were kept: it counts as a settlement, not for the price.
            await world.HappenAsync(new TasksAccepted([new AcceptedTask(job, i, requester, metering.CostMicro(), payees, i == 6 ? null : metering)], world.Now));
            await world.SealAllAsync();
            time.Advance(i == 2 ? TimeSpan.FromDays(2) - TimeSpan.FromMinutes(1) : TimeSpan.FromSeconds(2));
        }

        var stats = await world.SendAsync(new GetTokenomicsStatsQuery());
        await using var query = world.DataSource.CreateCommand(DocumentedQuery());
        await using var row = await query.ExecuteReaderAsync();
        Assert.That(await row.ReadAsync(), Is.True);
        decimal Of(string column) => Convert.ToDecimal(row[column], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Multiple(() =>
        {
            Assert.That(stats.TotalSupply, Is.EqualTo(Of("total_supply")));
            Assert.That(stats.CirculatingSupply, Is.EqualTo(Of("circulating_supply")));
            Assert.That(stats.StakedTokens, Is.EqualTo(Of("staked_tokens")));
            Assert.That(stats.ActiveStakers, Is.EqualTo(Of("active_stakers")));
            Assert.That(stats.Dao.TreasuryBalance, Is.EqualTo(Of("treasury_balance")));
            Assert.That(stats.Marketplace.TotalVolume, Is.EqualTo(Of("total_volume")));
            Assert.That(stats.Marketplace.Trades24h, Is.EqualTo(Of("trades_24h")));
            Assert.That(stats.Tokens.Price, Is.EqualTo(Of("price")));
            Assert.That(stats.Marketplace.AvgPrice, Is.EqualTo(Of("avg_price")));
            Assert.That(stats.MarketCap, Is.EqualTo(Of("market_cap")));
            Assert.That(stats.Rewards.ComputeRewards, Is.EqualTo(Of("compute_rewards")));
            Assert.That(stats.Rewards.StakingRewards, Is.EqualTo(Of("staking_rewards")));
            Assert.That(stats.Rewards.GovernanceRewards, Is.EqualTo(Of("governance_rewards")));
            Assert.That(stats.Rewards.TotalEarned, Is.EqualTo(Of("total_earned")));
        });
        // And by hand: 7 settlements, 4 of them today; silver costs 2.5 × (0.1 + 0.05 ÷ cores) a core-hour.
        Assert.That((stats.Marketplace.Trades24h, stats.Marketplace.ActiveListings, stats.StakingAPR), Is.EqualTo((4L, 1, 5m)));
        Assert.That(stats.Tokens.Price, Is.EqualTo(0.25m + (3 * 0.125m / 15)).Within(0.00001m));
        Assert.That(stats.TotalSupply, Is.LessThan(1_000_000m), "settlements burn");
    }
}
