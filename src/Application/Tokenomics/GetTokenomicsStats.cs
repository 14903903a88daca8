using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/stats
// The economy as the journal has it up to its last sealed block; at most a second old. docs/economics.md has the query that derives the same figures from the journal alone.

[RequiresPermission(Permissions.Public)]
public sealed record GetTokenomicsStatsQuery : IQuery<TokenomicsStats>;

/// <summary>Amounts are credits with six places.</summary>
/// <param name="TotalSupply">What was issued less what was burned.</param>
/// <param name="CirculatingSupply">Of that, what is neither in the treasury, the sovereign fund, the rewards pool nor the faucet: balances of owners, fees, and what waits for an appeal.</param>
/// <param name="ActiveStakers">Accounts with a stake.</param>
/// <param name="ProposalsActive">Open for votes.</param>
/// <param name="MarketCap">Circulating supply × price, that is: the core-hours it would buy, in credits; 0 without a price.</param>
/// <param name="StakingAPR">Percent a year, the parameter in force.</param>
public sealed record TokenomicsStats(
    decimal TotalSupply, decimal CirculatingSupply, decimal StakedTokens, long ActiveStakers, long ProposalsActive, long ProposalsTotal, decimal MarketCap, decimal StakingAPR,
    TokenFigures Tokens, DaoFigures Dao, MarketplaceFigures Marketplace, RewardFigures Rewards);

/// <param name="Price">Credits charged per core-hour measured, over the last 24 h; 0: nothing was settled.</param>
public sealed record TokenFigures(decimal TotalSupply, decimal CirculatingSupply, decimal MarketCap, decimal Price);

/// <param name="ActiveVotes">Proposals open for votes.</param>
/// <param name="TotalVoters">Accounts that ever voted.</param>
public sealed record DaoFigures(long Proposals, long ActiveVotes, long TotalVoters, decimal TreasuryBalance);

/// <param name="ActiveListings">Devices that take work now.</param>
/// <param name="TotalVolume">Credits that settlements ever charged.</param>
/// <param name="AvgPrice">As the price, since the beginning.</param>
/// <param name="Trades24h">Settlements of the last 24 h.</param>
public sealed record MarketplaceFigures(int ActiveListings, decimal TotalVolume, decimal AvgPrice, long Trades24h);

/// <summary>Credits ever paid to accounts.</summary>
/// <param name="TotalEarned">The sum of the others.</param>
/// <param name="ComputeRewards">To owners of devices, for verified work.</param>
/// <param name="StakingRewards">Interest on stakes.</param>
/// <param name="GovernanceRewards">Out of the treasury, by proposals.</param>
public sealed record RewardFigures(decimal TotalEarned, decimal ComputeRewards, decimal StakingRewards, decimal GovernanceRewards);

/// <summary>Figures of proposals, from the part that keeps them.</summary>
public interface IGovernanceFigures
{
    Task<GovernanceFigures> ReadAsync(CancellationToken cancel);
}

/// <param name="Active">Open for votes.</param>
/// <param name="Voters">Accounts that ever voted.</param>
public sealed record GovernanceFigures(long Total, long Active, long Voters);

/// <summary>Running figures of the ledger, cheap however long the journal.</summary>
public interface ILedgerFigures
{
    Task<LedgerFigures> ReadAsync(DateTimeOffset dayAgo, CancellationToken cancel);
}

/// <summary>Micro-credits and counts. Totals are up to the last sealed block; <c>…Before</c> up to the last block that was sealed a day ago.</summary>
public sealed record LedgerFigures(
    long Burned, long Treasury, long Reserved, long Staked, long Stakers, long Settlements, long SettlementsBefore, long Charged, long Paid, long Metered, long MeteredBefore, long CoreMs, long CoreMsBefore,
    long StakingRewards, long TreasuryGrants);

/// <summary>The last answer, for a second: dashboards ask often, and the sums over accounts and devices are the same for all of them.</summary>
public sealed class TokenomicsStatsCache(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private (TokenomicsStats Stats, long At)? _last;

    public async Task<TokenomicsStats> GetAsync(Func<Task<TokenomicsStats>> read, CancellationToken cancel)
    {
        await _gate.WaitAsync(cancel);
        try
        {
            if (_last is not { } last || time.GetElapsedTime(last.At) >= Fresh)
                _last = last = (await read(), time.GetTimestamp());
            return last.Stats;
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();
}

internal sealed class GetTokenomicsStatsHandler(
    ILedgerFigures ledger, IParameters parameters, IGovernanceFigures governance, IPlacementPool pool, TokenomicsStatsCache cache, TimeProvider time)
    : IQueryHandler<GetTokenomicsStatsQuery, TokenomicsStats>
{
    private const decimal MsPerHour = 3_600_000m;

    public Task<TokenomicsStats> Handle(GetTokenomicsStatsQuery query, CancellationToken cancellationToken) => cache.GetAsync(() => ReadAsync(cancellationToken), cancellationToken);

    private async Task<TokenomicsStats> ReadAsync(CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var f = await ledger.ReadAsync(now.AddDays(-1), cancel);
        var proposals = await governance.ReadAsync(cancel);
        var offering = (await pool.DevicesAsync(now, cancel)).Count(d => d.Unavailable is null);
        var supply = Credits.FromMicro(Genesis.CapMicro - f.Burned);
        var circulating = Credits.FromMicro(Genesis.CapMicro - f.Burned - f.Treasury - f.Reserved);
        var price = PerCoreHour(f.Metered - f.MeteredBefore, f.CoreMs - f.CoreMsBefore);
        var cap = decimal.Round(circulating * price, 6);
        return new TokenomicsStats(
            supply, circulating, Credits.FromMicro(f.Staked), f.Stakers, proposals.Active, proposals.Total, cap, (await parameters.CurrentAsync(cancel))[ParameterCatalogue.StakeYield] / 100m,
            new TokenFigures(supply, circulating, cap, price),
            new DaoFigures(proposals.Total, proposals.Active, proposals.Voters, Credits.FromMicro(f.Treasury)),
            new MarketplaceFigures(offering, Credits.FromMicro(f.Charged), PerCoreHour(f.Metered, f.CoreMs), f.Settlements - f.SettlementsBefore),
            new RewardFigures(
                Credits.FromMicro(f.Paid + f.StakingRewards + f.TreasuryGrants), Credits.FromMicro(f.Paid), Credits.FromMicro(f.StakingRewards), Credits.FromMicro(f.TreasuryGrants)));
    }

    private static decimal PerCoreHour(long micro, long coreMs) => coreMs == 0 ? 0 : decimal.Round(micro / (decimal)Credits.MicroPerCredit / (coreMs / MsPerHour), 6);
}
