using System.Globalization;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Staking;
using FogCompute.Infrastructure.Persistence;
using Npgsql;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresStakes(FogDbContext db) : IStakes
{
    // Numerators are beyond 64 bits: they travel as text, and are numeric in the database.
    private const string Accruals = "SELECT owner, numerator::text, accrued_to, paid, paid_day FROM tokenomics.stake_accruals WHERE owner = ANY ($1)";

    public async Task<IReadOnlyDictionary<AccountId, OwnerStake>> LoadAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel)
    {
        var ids = owners.Select(o => o.Value).ToArray();
        var lots = (await db.QuerySqlAsync(
            "SELECT owner, id, initial, amount, staked_at, locked_until FROM tokenomics.stakes WHERE owner = ANY ($1) AND amount > 0",
            r => (Owner: r.GetGuid(0), Lot: new StakeLot(r.GetGuid(1), r.GetInt64(2), r.GetInt64(3), r.GetFieldValue<DateTimeOffset>(4), r.GetFieldValue<DateTimeOffset>(5))),
            cancel, ids)).ToLookup(l => l.Owner, l => l.Lot);
        var unbondings = (await db.QuerySqlAsync(
            "SELECT owner, id, initial, amount, started_at, available_at FROM tokenomics.unbondings WHERE owner = ANY ($1) AND claimed_at IS NULL AND amount > 0",
            r => (Owner: r.GetGuid(0), Unbonding: new Unbonding(r.GetGuid(1), r.GetInt64(2), r.GetInt64(3), r.GetFieldValue<DateTimeOffset>(4), r.GetFieldValue<DateTimeOffset>(5))),
            cancel, ids)).ToLookup(u => u.Owner, u => u.Unbonding);
        var accruals = (await AccrualsAsync(owners, cancel)).ToDictionary(a => a.Owner);
        return owners.ToDictionary(o => o, o => new OwnerStake(o, lots[o.Value], unbondings[o.Value], accruals.GetValueOrDefault(o)));
    }

    public async Task SaveAsync(IReadOnlyCollection<OwnerStake> stakes, CancellationToken cancel)
    {
        var lots = stakes.SelectMany(s => s.Lots, (s, lot) => (s.Owner, Lot: lot)).ToArray();
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.stakes AS s (id, owner, initial, amount, staked_at, locked_until)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
            ON CONFLICT (id) DO UPDATE SET amount = excluded.amount WHERE s.amount <> excluded.amount
            """, cancel,
            lots.Select(l => l.Lot.Id).ToArray(), lots.Select(l => l.Owner.Value).ToArray(), lots.Select(l => l.Lot.InitialMicro).ToArray(), lots.Select(l => l.Lot.AmountMicro).ToArray(),
            lots.Select(l => l.Lot.StakedAt.ToUniversalTime()).ToArray(), lots.Select(l => l.Lot.LockedUntil.ToUniversalTime()).ToArray());
        var unbondings = stakes.SelectMany(s => s.Unbondings, (s, unbonding) => (s.Owner, Unbonding: unbonding)).ToArray();
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.unbondings AS u (id, owner, initial, amount, started_at, available_at, claimed_at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
            ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, claimed_at = excluded.claimed_at
            WHERE u.amount <> excluded.amount OR u.claimed_at IS DISTINCT FROM excluded.claimed_at
            """, cancel,
            unbondings.Select(u => u.Unbonding.Id).ToArray(), unbondings.Select(u => u.Owner.Value).ToArray(), unbondings.Select(u => u.Unbonding.InitialMicro).ToArray(),
            unbondings.Select(u => u.Unbonding.AmountMicro).ToArray(), unbondings.Select(u => u.Unbonding.StartedAt.ToUniversalTime()).ToArray(),
            unbondings.Select(u => u.Unbonding.AvailableAt.ToUniversalTime()).ToArray(), unbondings.Select(u => u.Unbonding.ClaimedAt?.ToUniversalTime()).ToArray());
        await SaveAccrualsAsync([.. stakes.Select(s => s.Accrual).OfType<StakeAccrual>()], cancel);
    }

    public async Task<IReadOnlyList<StakeAccrual>> AccrualsAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel) =>
        await db.QuerySqlAsync(Accruals, ReadAccrual, cancel, owners.Select(o => o.Value).ToArray());

    public async Task SaveAccrualsAsync(IReadOnlyCollection<StakeAccrual> accruals, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.stake_accruals (owner, numerator, accrued_to, paid, paid_day)
            SELECT owner, numerator::numeric, accrued_to, paid, paid_day FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::date[]) AS n (owner, numerator, accrued_to, paid, paid_day)
            ON CONFLICT (owner) DO UPDATE SET numerator = excluded.numerator, accrued_to = excluded.accrued_to, paid = excluded.paid, paid_day = excluded.paid_day
            """, cancel,
            accruals.Select(a => a.Owner.Value).ToArray(), accruals.Select(a => a.Numerator.ToString(CultureInfo.InvariantCulture)).ToArray(),
            accruals.Select(a => a.AccruedTo.ToUniversalTime()).ToArray(), accruals.Select(a => a.PaidMicro).ToArray(), accruals.Select(a => a.PaidDay).ToArray());

    public async Task<IReadOnlyCollection<AccountId>> OpenOwnersAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel) =>
        await db.QuerySqlAsync("SELECT DISTINCT owner FROM tokenomics.accounts WHERE owner = ANY ($1) AND kind IN ('Staked', 'Unbonding') AND balance > 0",
            r => new AccountId(r.GetGuid(0)), cancel, owners.Select(o => o.Value).ToArray());

    public async Task<IReadOnlyCollection<AccountId>> StakersAsync(CancellationToken cancel) =>
        await db.QuerySqlAsync("SELECT owner FROM tokenomics.accounts WHERE kind = 'Staked' AND balance > 0", r => new AccountId(r.GetGuid(0)), cancel);

    public async Task<IReadOnlyCollection<AccountId>> UnpaidAsync(DateOnly day, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT s.owner FROM tokenomics.stake_accruals s JOIN tokenomics.accounts a ON a.owner = s.owner AND a.kind = 'Staked'
            WHERE s.paid_day < $1 AND (a.balance > 0 OR s.numerator >= $2::text::numeric) ORDER BY s.owner LIMIT $3
            """,
            r => new AccountId(r.GetGuid(0)), cancel, day, StakeAccrual.PerMicroCredit.ToString(CultureInfo.InvariantCulture), limit);

    public Task<long> RewardsPoolAsync(CancellationToken cancel) =>
        db.ScalarSqlAsync<long>("SELECT balance FROM tokenomics.accounts WHERE owner IS NULL AND kind = 'RewardsPool'", cancel);

    private static StakeAccrual ReadAccrual(NpgsqlDataReader r) => StakeAccrual.Restore(
        new AccountId(r.GetGuid(0)), Int128.Parse(r.GetString(1), CultureInfo.InvariantCulture), r.GetFieldValue<DateTimeOffset>(2), r.GetInt64(3), r.GetFieldValue<DateOnly>(4));
}
