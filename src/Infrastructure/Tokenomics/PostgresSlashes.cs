using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics.Staking;
using FogCompute.Infrastructure.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresSlashes(FogDbContext db) : ISlashes
{
    private const string Columns =
        """
        s.id, s.owner, s.reason, s.state, s.from_staked, s.from_unbonding, s.locked_until, s.available_at, s.harmed, s.harmed_bp, s.job_id, s.task_index, s.device_id, s.attempt_id,
        s.evidence::text, s.created_at, s.appeal_until, s.appeal, s.appealed_at, s.decision, s.decided_by, s.decided_at
        """;

    private const string Listed =
        $"""
        SELECT {Columns}, o.address, h.address FROM tokenomics.slashes s
        JOIN tokenomics.owners o ON o.id = s.owner JOIN tokenomics.owners h ON h.id = s.harmed
        """;

    public async Task<IReadOnlySet<Guid>> SlashedAsync(SlashReason reason, IReadOnlyCollection<Guid> attempts, CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT attempt_id FROM tokenomics.slashes WHERE attempt_id = ANY ($1) AND reason = $2", r => r.GetGuid(0), cancel, attempts.ToArray(), reason.ToString())).ToHashSet();

    public async Task AddAsync(IReadOnlyCollection<Slash> slashes, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.slashes (
                id, owner, reason, state, from_staked, from_unbonding, locked_until, available_at, harmed, harmed_bp, job_id, task_index, device_id, attempt_id, evidence, created_at, appeal_until)
            SELECT * FROM unnest(
                $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::uuid[], $10::integer[], $11::uuid[], $12::integer[],
                $13::text[], $14::uuid[], $15::json[], $16::timestamptz[], $17::timestamptz[])
            """, cancel,
            slashes.Select(s => s.Id).ToArray(), slashes.Select(s => s.Offence.Owner.Value).ToArray(), slashes.Select(s => s.Offence.Reason.ToString()).ToArray(),
            slashes.Select(s => s.State.ToString()).ToArray(), slashes.Select(s => s.Taken.FromStaked).ToArray(), slashes.Select(s => s.Taken.FromUnbonding).ToArray(),
            slashes.Select(s => s.Taken.LockedUntil?.ToUniversalTime()).ToArray(), slashes.Select(s => s.Taken.AvailableAt?.ToUniversalTime()).ToArray(),
            slashes.Select(s => s.Offence.Harmed.Value).ToArray(), slashes.Select(s => s.HarmedShare).ToArray(), slashes.Select(s => s.Offence.Job.Value).ToArray(),
            slashes.Select(s => s.Offence.TaskIndex).ToArray(), slashes.Select(s => s.Offence.DeviceId).ToArray(), slashes.Select(s => s.Offence.Attempt.Value).ToArray(),
            Sql.Typed(slashes.Select(s => s.Offence.Evidence).ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Json),
            slashes.Select(s => s.CreatedAt.ToUniversalTime()).ToArray(), slashes.Select(s => s.AppealUntil.ToUniversalTime()).ToArray());

    public async Task<Slash?> LockAsync(Guid id, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"SELECT {Columns} FROM tokenomics.slashes s WHERE s.id = $1 FOR NO KEY UPDATE", Read, cancel, id)).SingleOrDefault();

    public async Task<IReadOnlyList<Slash>> ClaimUnappealedAsync(DateTimeOffset now, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            $"SELECT {Columns} FROM tokenomics.slashes s WHERE s.state = 'Escrowed' AND s.appeal_until <= $1 ORDER BY s.appeal_until LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
            Read, cancel, now.ToUniversalTime(), limit);

    public async Task SaveAsync(IReadOnlyCollection<Slash> slashes, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            UPDATE tokenomics.slashes s SET state = n.state, appeal = n.appeal, appealed_at = n.appealed_at, decision = n.decision, decided_by = n.decided_by, decided_at = n.decided_at
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::timestamptz[])
                AS n (id, state, appeal, appealed_at, decision, decided_by, decided_at)
            WHERE s.id = n.id
            """, cancel,
            slashes.Select(s => s.Id).ToArray(), slashes.Select(s => s.State.ToString()).ToArray(), slashes.Select(s => s.Appeal).ToArray(),
            slashes.Select(s => s.AppealedAt?.ToUniversalTime()).ToArray(), slashes.Select(s => s.Decision).ToArray(), slashes.Select(s => s.DecidedBy).ToArray(),
            slashes.Select(s => s.DecidedAt?.ToUniversalTime()).ToArray());

    public async Task<(IReadOnlyList<ListedSlash> Slashes, long Total)> ListAsync(AccountId? owner, SlashState? state, int limit, CancellationToken cancel)
    {
        const string wanted = "WHERE ($1::uuid IS NULL OR s.owner = $1) AND ($2::text IS NULL OR s.state = $2)";
        // A parameter belongs to one command.
        NpgsqlParameter Owner() => Sql.Typed(owner?.Value, NpgsqlDbType.Uuid);
        NpgsqlParameter State() => Sql.Typed(state?.ToString(), NpgsqlDbType.Text);
        var page = await db.QuerySqlAsync($"{Listed} {wanted} ORDER BY s.created_at DESC, s.id DESC LIMIT $3", ReadListed, cancel, Owner(), State(), limit);
        return (page, await db.ScalarSqlAsync<long>($"SELECT count(*) FROM tokenomics.slashes s {wanted}", cancel, Owner(), State()));
    }

    public async Task<ListedSlash?> FindAsync(Guid id, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"{Listed} WHERE s.id = $1", ReadListed, cancel, id)).SingleOrDefault();

    private static ListedSlash ReadListed(NpgsqlDataReader r) => new(Read(r), r.GetString(22), r.GetString(23));

    private static Slash Read(NpgsqlDataReader r) => new Slash
    {
        Id = r.GetGuid(0),
        Offence = new Offence(
            Enum.Parse<SlashReason>(r.GetString(2)), new AccountId(r.GetGuid(1)), new AccountId(r.GetGuid(8)), new JobId(r.GetGuid(10)), r.GetInt32(11), r.GetString(12),
            new AttemptId(r.GetGuid(13)), Text(r, 14)),
        Taken = new SlashTake(r.GetInt64(4), r.GetInt64(5), Instant(r, 6), Instant(r, 7)),
        HarmedShare = r.GetInt32(9), CreatedAt = r.GetFieldValue<DateTimeOffset>(15), AppealUntil = r.GetFieldValue<DateTimeOffset>(16),
    }.As(Enum.Parse<SlashState>(r.GetString(3)), Text(r, 17), Instant(r, 18), Text(r, 19), Text(r, 20), Instant(r, 21));

    private static string? Text(NpgsqlDataReader r, int column) => r.IsDBNull(column) ? null : r.GetString(column);

    private static DateTimeOffset? Instant(NpgsqlDataReader r, int column) => r.IsDBNull(column) ? null : r.GetFieldValue<DateTimeOffset>(column);
}
