using FogCompute.Application.Tokenomics;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>One pass over the accounts and two look-ups in the running totals of blocks.</summary>
internal sealed class PostgresLedgerFigures(FogDbContext db) : ILedgerFigures
{
    public async Task<LedgerFigures> ReadAsync(DateTimeOffset dayAgo, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT a.burned, a.treasury, a.reserved, a.staked, a.stakers, coalesce(n.settlements, 0), coalesce(b.settlements, 0), coalesce(n.charged, 0), coalesce(n.paid, 0),
                   coalesce(n.metered, 0), coalesce(b.metered, 0), coalesce(n.core_ms, 0), coalesce(b.core_ms, 0), coalesce(n.staking_rewards, 0), coalesce(n.treasury_grants, 0)
            FROM (
                SELECT coalesce(sum(balance) FILTER (WHERE kind = 'Burned'), 0)::bigint AS burned, coalesce(sum(balance) FILTER (WHERE kind = 'Treasury'), 0)::bigint AS treasury,
                       coalesce(sum(balance) FILTER (WHERE kind IN ('Sovereign', 'RewardsPool', 'Faucet')), 0)::bigint AS reserved,
                       coalesce(sum(balance) FILTER (WHERE kind = 'Staked'), 0)::bigint AS staked, count(*) FILTER (WHERE kind = 'Staked' AND balance > 0) AS stakers
                FROM tokenomics.accounts) AS a
            LEFT JOIN (SELECT * FROM tokenomics.block_totals ORDER BY block DESC LIMIT 1) AS n ON true
            LEFT JOIN (SELECT * FROM tokenomics.block_totals WHERE sealed_at <= $1 ORDER BY sealed_at DESC, block DESC LIMIT 1) AS b ON true
            """,
            r => new LedgerFigures(
                r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7), r.GetInt64(8), r.GetInt64(9), r.GetInt64(10), r.GetInt64(11),
                r.GetInt64(12), r.GetInt64(13), r.GetInt64(14)),
            cancel, dayAgo.ToUniversalTime())).Single();
}
