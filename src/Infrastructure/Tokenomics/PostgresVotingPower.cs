using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresVotingPower(FogDbContext db) : IVotingPower
{
    private const long VotingLock = 0x666F_675F_766F_7465; // "fog_vote"

    public static Task ShareAsync(FogDbContext db, CancellationToken cancel) =>
        db.ExecuteSqlAsync("SELECT pg_advisory_xact_lock_shared($1)", cancel, VotingLock);

    public Task ShareAsync(CancellationToken cancel) => ShareAsync(db, cancel);

    public async Task<VotingSnapshot> SnapshotAsync(CancellationToken cancel)
    {
        await db.ExecuteSqlAsync("SELECT pg_advisory_xact_lock($1)", cancel, VotingLock);
        return (await db.QuerySqlAsync(
            """
            SELECT (SELECT max(number) FROM tokenomics.transfers),
                   (SELECT coalesce(-sum(balance), 0)::bigint FROM tokenomics.accounts WHERE owner IS NULL AND kind IN ('Issuance', 'Burned'))
            """, r => new VotingSnapshot(r.GetInt64(0), r.GetInt64(1)), cancel)).Single();
    }

    public async Task<IReadOnlyDictionary<AccountId, long>> StakedAtAsync(IReadOnlyCollection<AccountId> owners, long transfer, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT a.owner, sum(p.amount)::bigint FROM tokenomics.accounts a JOIN tokenomics.postings p ON p.account_id = a.id AND p.transfer <= $2
            WHERE a.kind = 'Staked' AND a.owner = ANY ($1) GROUP BY a.owner HAVING sum(p.amount) > 0
            """,
            r => (Owner: new AccountId(r.GetGuid(0)), Amount: r.GetInt64(1)), cancel, owners.Select(o => o.Value).ToArray(), Sql.Typed(transfer, NpgsqlDbType.Bigint)))
        .ToDictionary(s => s.Owner, s => s.Amount);
}
