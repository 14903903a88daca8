using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresHolds(FogDbContext db) : IHolds
{
    public async Task<IReadOnlySet<JobId>> AddAsync(IReadOnlyCollection<Hold> holds, CancellationToken cancel) => holds.Count == 0 ? new HashSet<JobId>() :
        (await db.QuerySqlAsync(
            """
            INSERT INTO tokenomics.holds (job_id, owner, amount, remaining, state, opened_at, expires_at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[])
            ON CONFLICT (job_id) DO NOTHING RETURNING job_id
            """, r => new JobId(r.GetGuid(0)), cancel,
            holds.Select(h => h.Job.Value).ToArray(), holds.Select(h => h.Owner.Value).ToArray(), holds.Select(h => h.Amount).ToArray(), holds.Select(h => h.Remaining).ToArray(),
            holds.Select(h => h.State.ToString()).ToArray(), holds.Select(h => h.OpenedAt.ToUniversalTime()).ToArray(), holds.Select(h => h.ExpiresAt.ToUniversalTime()).ToArray())).ToHashSet();

    public async Task<IReadOnlyDictionary<JobId, Hold>> LockAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT job_id, owner, amount, remaining, settled, released, state, opened_at, expires_at, closed_at FROM tokenomics.holds
            WHERE job_id = ANY ($1) ORDER BY job_id FOR NO KEY UPDATE
            """,
            r => Hold.Restore(
                new JobId(r.GetGuid(0)), new AccountId(r.GetGuid(1)), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5),
                Enum.Parse<HoldState>(r.GetString(6)), r.GetFieldValue<DateTimeOffset>(7), r.GetFieldValue<DateTimeOffset>(8),
                r.IsDBNull(9) ? null : r.GetFieldValue<DateTimeOffset>(9)),
            cancel, jobs.Select(j => j.Value).ToArray())).ToDictionary(h => h.Job);

    public async Task SaveAsync(IReadOnlyCollection<Hold> holds, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            UPDATE tokenomics.holds h SET remaining = n.remaining, settled = n.settled, released = n.released, state = n.state, closed_at = n.closed_at
            FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[]) AS n (job_id, remaining, settled, released, state, closed_at)
            WHERE h.job_id = n.job_id
            """, cancel,
            holds.Select(h => h.Job.Value).ToArray(), holds.Select(h => h.Remaining).ToArray(), holds.Select(h => h.Settled).ToArray(),
            holds.Select(h => h.Released).ToArray(), holds.Select(h => h.State.ToString()).ToArray(), holds.Select(h => h.ClosedAt?.ToUniversalTime()).ToArray());
}

internal sealed class PostgresJobCharges(FogDbContext db) : IJobCharges
{
    public async Task<IReadOnlyDictionary<JobId, JobCharge>> OfAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            "SELECT job_id, amount, settled, released, remaining FROM tokenomics.holds WHERE job_id = ANY ($1)",
            r => (Job: new JobId(r.GetGuid(0)), Charge: new JobCharge(
                Credits.FromMicro(r.GetInt64(1)), Credits.FromMicro(r.GetInt64(2)), Credits.FromMicro(r.GetInt64(3)), Credits.FromMicro(r.GetInt64(4)))),
            cancel, jobs.Select(j => j.Value).ToArray())).ToDictionary(c => c.Job, c => c.Charge);

    public async Task<JobPaid> PaymentsAsync(JobId job, CancellationToken cancel)
    {
        var devices = await db.QuerySqlAsync(
            """
            SELECT p.payee ->> 'device', a.name, count(*)::int, sum((p.payee ->> 'amount')::bigint)::bigint
            FROM tokenomics.transfers t CROSS JOIN LATERAL json_array_elements(t.cause -> 'payees') AS p(payee)
            JOIN identity.accounts a ON a.id = (p.payee ->> 'owner')::uuid
            WHERE t.job_id = $1 AND t.kind = 'Settlement' GROUP BY 1, 2 ORDER BY 1
            """,
            r => new DevicePayment(r.GetString(0), r.GetString(1), r.GetInt32(2), Credits.FromMicro(r.GetInt64(3))), cancel, job.Value);
        var pool = await db.QuerySqlAsync(
            """
            SELECT a.kind, sum(p.amount)::bigint FROM tokenomics.transfers t JOIN tokenomics.postings p ON p.transfer = t.number JOIN tokenomics.accounts a ON a.id = p.account_id
            WHERE t.job_id = $1 AND t.kind = 'Settlement' AND a.kind IN ('Fees', 'Burned') GROUP BY a.kind
            """,
            r => (Kind: r.GetString(0), Amount: Credits.FromMicro(r.GetInt64(1))), cancel, job.Value);
        return new JobPaid(devices, pool.Where(p => p.Kind == "Fees").Sum(p => p.Amount), pool.Where(p => p.Kind == "Burned").Sum(p => p.Amount));
    }
}
