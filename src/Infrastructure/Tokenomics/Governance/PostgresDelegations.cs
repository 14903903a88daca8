using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics.Governance;

internal sealed class PostgresDelegations(FogDbContext db) : IDelegations
{
    public async Task<AccountId?> CurrentAsync(AccountId owner, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            "SELECT delegate FROM tokenomics.delegations WHERE owner = $1 ORDER BY number DESC LIMIT 1",
            r => r.IsDBNull(0) ? (AccountId?)null : new AccountId(r.GetGuid(0)), cancel, owner.Value)).SingleOrDefault();

    public Task AppendAsync(AccountId owner, AccountId? to, DateTimeOffset at, CancellationToken cancel) =>
        db.ExecuteSqlAsync("INSERT INTO tokenomics.delegations (owner, delegate, at) VALUES ($1, $2, $3)", cancel, owner.Value, Sql.Typed(to?.Value, NpgsqlDbType.Uuid), at);

    public Task<long> LastAsync(CancellationToken cancel) => db.ScalarSqlAsync<long>("SELECT coalesce(max(number), 0) FROM tokenomics.delegations", cancel);

    public async Task<DelegationView> ViewAsync(AccountId owner, CancellationToken cancel)
    {
        var self = (await db.QuerySqlAsync(
            """
            SELECT a.balance, (SELECT o.address FROM tokenomics.owners o WHERE o.id = (SELECT delegate FROM tokenomics.delegations WHERE owner = $1 ORDER BY number DESC LIMIT 1))
            FROM tokenomics.accounts a WHERE a.owner = $1 AND a.kind = 'Staked'
            """, r => (Staked: r.GetInt64(0), Delegate: r.IsDBNull(1) ? null : r.GetString(1)), cancel, owner.Value)).Single();
        var delegators = await db.QuerySqlAsync(
            """
            SELECT o.address, a.balance FROM (
                SELECT DISTINCT ON (owner) owner, delegate FROM tokenomics.delegations
                WHERE owner IN (SELECT owner FROM tokenomics.delegations WHERE delegate = $1) ORDER BY owner, number DESC) d
            JOIN tokenomics.owners o ON o.id = d.owner JOIN tokenomics.accounts a ON a.owner = d.owner AND a.kind = 'Staked'
            WHERE d.delegate = $1 ORDER BY a.balance DESC, o.address
            """, r => (r.GetString(0), r.GetInt64(1)), cancel, owner.Value);
        return new DelegationView(self.Delegate, self.Staked, delegators);
    }
}
