using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>
/// Posting in three round trips whatever the batch: insert transfers (the unique key decides what is new), lock the accounts that move, insert
/// postings and add the deltas. Balances are checked between lock and update, so a refusal can name them; the CHECK in the table is the backstop.
/// </summary>
internal sealed class PostgresLedger(FogDbContext db) : ILedger
{
    private readonly record struct Locked(long Row, long Balance, DateTimeOffset At);

    // A moment before, so that the first posting may have the time of the opening.
    public async Task OpenOwnerAsync(AccountId owner, string address, DateTimeOffset at, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            WITH opened AS (INSERT INTO tokenomics.owners (id, address, opened_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING id)
            INSERT INTO tokenomics.accounts (owner, kind, updated_at)
            SELECT id, kind, $3 - interval '1 microsecond' FROM opened, unnest(ARRAY['Available', 'Held', 'Staked', 'Unbonding']) AS kind
            """, cancel, owner.Value, address, at);

    public async Task<IReadOnlyDictionary<LedgerAccount, long>> LockAsync(IReadOnlyCollection<LedgerAccount> accounts, CancellationToken cancel) =>
        (await LockRowsAsync(accounts, cancel)).ToDictionary(a => a.Key, a => a.Value.Balance);

    public async Task<int> PostAsync(IReadOnlyCollection<Transfer> transfers, IReadOnlyCollection<LedgerAccount> alsoLock, CancellationToken cancel)
    {
        var byKey = new SortedDictionary<string, Transfer>(StringComparer.Ordinal);
        foreach (var transfer in transfers)
        {
            if (!byKey.TryAdd(transfer.IdempotencyKey, transfer))
                RequireRepeat(byKey[transfer.IdempotencyKey], transfer);
        }
        if (byKey.Count == 0)
            return 0;
        // Before a number is drawn: a voting snapshot must not have to expect more stakes below it.
        if (byKey.Values.Any(t => t.Postings.Any(p => p.Account.Kind == AccountKind.Staked)))
            await PostgresVotingPower.ShareAsync(db, cancel);
        var numbers = await RecordAsync(byKey.Values, cancel);
        if (numbers.Count < byKey.Count)
        {
            foreach (var (key, recorded) in await FindAsync(byKey.Keys.Where(k => !numbers.ContainsKey(k)).ToArray(), cancel))
                RequireRepeat(recorded, byKey[key]);
        }
        if (numbers.Count > 0)
            await MoveAsync(byKey, numbers, alsoLock, cancel);
        return numbers.Count;
    }

    public async Task<IReadOnlyDictionary<string, Transfer>> FindAsync(IReadOnlyCollection<string> keys, CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            """
            SELECT t.idempotency_key, t.kind, t.job_id, t.task_index, t.cause::text, t.created_at, a.kind, a.owner, p.amount
            FROM tokenomics.transfers t
            LEFT JOIN tokenomics.postings p ON p.transfer = t.number
            LEFT JOIN tokenomics.accounts a ON a.id = p.account_id
            WHERE t.idempotency_key = ANY ($1)
            """,
            r => new
            {
                Key = r.GetString(0),
                Kind = Enum.Parse<TransferKind>(r.GetString(1)),
                Job = r.IsDBNull(2) ? (JobId?)null : new JobId(r.GetGuid(2)),
                TaskIndex = r.IsDBNull(3) ? (int?)null : r.GetInt32(3),
                Cause = r.IsDBNull(4) ? null : r.GetString(4),
                At = r.GetFieldValue<DateTimeOffset>(5),
                Posting = r.IsDBNull(6) ? (Posting?)null : new Posting(AccountRows.Read(r.GetString(6), r.IsDBNull(7) ? null : r.GetGuid(7)), r.GetInt64(8)),
            },
            cancel, (object)keys.ToArray()); // Without the cast a string[] would become the parameter list itself.
        return rows.GroupBy(r => r.Key, StringComparer.Ordinal).ToDictionary(
            t => t.Key,
            t => Transfer.Create(t.First().Kind, t.Key, t.Where(r => r.Posting is not null).Select(r => r.Posting!.Value), t.First().At, t.First().Job, t.First().TaskIndex, t.First().Cause),
            StringComparer.Ordinal);
    }

    private static void RequireRepeat(Transfer recorded, Transfer repeated)
    {
        if (!recorded.SaysTheSameAs(repeated))
            throw new FogException(TokenomicsErrors.KeyReused(repeated.IdempotencyKey));
    }

    /// <summary>Inserts in key order, so that two batches with common keys wait for each other in one direction only; returns the new ones' numbers.</summary>
    private async Task<Dictionary<string, long>> RecordAsync(IReadOnlyCollection<Transfer> ordered, CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            """
            INSERT INTO tokenomics.transfers (kind, idempotency_key, job_id, task_index, cause, created_at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::integer[], $5::json[], $6::timestamptz[])
            ON CONFLICT (idempotency_key) DO NOTHING
            RETURNING idempotency_key, number
            """,
            r => (Key: r.GetString(0), Number: r.GetInt64(1)),
            cancel,
            ordered.Select(t => t.Kind.ToString()).ToArray(),
            ordered.Select(t => t.IdempotencyKey).ToArray(),
            ordered.Select(t => t.Job?.Value).ToArray(),
            ordered.Select(t => t.TaskIndex).ToArray(),
            Sql.Typed(ordered.Select(t => t.Cause).ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Json),
            ordered.Select(t => t.At.ToUniversalTime()).ToArray());
        return rows.ToDictionary(r => r.Key, r => r.Number, StringComparer.Ordinal);
    }

    private async Task MoveAsync(
        SortedDictionary<string, Transfer> byKey, Dictionary<string, long> numbers, IReadOnlyCollection<LedgerAccount> alsoLock, CancellationToken cancel)
    {
        var deltas = new Dictionary<LedgerAccount, (long Delta, long Earned)>();
        foreach (var key in numbers.Keys)
        {
            var transfer = byKey[key];
            foreach (var (account, amount) in transfer.Postings)
            {
                var earned = transfer.Kind == TransferKind.Settlement && account.Kind == AccountKind.Available && amount > 0 ? amount : 0;
                var (delta, before) = deltas.GetValueOrDefault(account);
                deltas[account] = checked((delta + amount, before + earned));
            }
        }
        if (deltas.Count == 0)
            return;
        var rows = await LockRowsAsync(deltas.Keys.Union(alsoLock).ToArray(), cancel);
        foreach (var (account, (delta, _)) in deltas)
        {
            var balance = rows[account].Balance;
            if (delta < 0 && account.Kind != AccountKind.Issuance && checked(balance + delta) < 0)
                throw new FogException(TokenomicsErrors.InsufficientFunds(account, balance, -delta));
        }
        // Ledger time: later than anything these accounts have on record, so that each account's history is in the order of its locks.
        var at = rows.Values.Max(r => r.At).AddMicroseconds(1);
        var latest = byKey.Values.Max(t => t.At).ToUniversalTime();
        if (latest > at)
            at = latest;
        var balances = rows.ToDictionary(r => r.Key, r => r.Value.Balance);
        var lines = new List<(long Transfer, long Row, long Amount, long Balance)>(numbers.Count * 5);
        foreach (var (key, number) in numbers.OrderBy(n => n.Value))
        {
            foreach (var (account, amount) in byKey[key].Postings)
                lines.Add((number, rows[account].Row, amount, balances[account] += amount));
        }
        await db.ExecuteSqlAsync(
            """
            WITH written AS (
                INSERT INTO tokenomics.postings (transfer, account_id, amount, balance, at) SELECT *, $8 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]))
            UPDATE tokenomics.accounts a SET balance = a.balance + d.delta, earned = a.earned + d.earned, updated_at = $8
            FROM unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS d (id, delta, earned)
            WHERE a.id = d.id
            """,
            cancel,
            lines.Select(l => l.Transfer).ToArray(), lines.Select(l => l.Row).ToArray(), lines.Select(l => l.Amount).ToArray(), lines.Select(l => l.Balance).ToArray(),
            deltas.Keys.Select(a => rows[a].Row).ToArray(), deltas.Values.Select(d => d.Delta).ToArray(), deltas.Values.Select(d => d.Earned).ToArray(), at);
    }

    /// <summary>Locks in descending row id: owners' rows first, the busy system rows (1–8) last and so for the shortest time.</summary>
    private async Task<Dictionary<LedgerAccount, Locked>> LockRowsAsync(IReadOnlyCollection<LedgerAccount> accounts, CancellationToken cancel)
    {
        var owned = accounts.Where(a => a.Owner is not null).ToArray();
        var rows = await db.QuerySqlAsync(
            """
            SELECT id, kind, owner, balance, updated_at FROM tokenomics.accounts
            WHERE id = ANY (ARRAY(
                SELECT a.id FROM unnest($1::uuid[], $2::text[]) AS wanted (owner, kind) JOIN tokenomics.accounts a ON a.owner = wanted.owner AND a.kind = wanted.kind
                UNION ALL SELECT unnest($3::bigint[])))
            ORDER BY id DESC
            FOR NO KEY UPDATE
            """,
            r => (Account: AccountRows.Read(r.GetString(1), r.IsDBNull(2) ? null : r.GetGuid(2)), Locked: new Locked(r.GetInt64(0), r.GetInt64(3), r.GetFieldValue<DateTimeOffset>(4))),
            cancel,
            owned.Select(a => a.Owner!.Value.Value).ToArray(),
            owned.Select(a => a.Kind.ToString()).ToArray(),
            accounts.Where(a => a.Owner is null).Select(a => AccountRows.SystemRow(a.Kind)).ToArray());
        var locked = rows.ToDictionary(r => r.Account, r => r.Locked);
        foreach (var account in accounts)
        {
            if (!locked.ContainsKey(account))
                throw new FogException(TokenomicsErrors.AccountMissing(account));
        }
        return locked;
    }
}

internal static class AccountRows
{
    /// <summary>System accounts have the fixed row ids that migration 0005 gives them.</summary>
    public static long SystemRow(AccountKind kind) => (long)kind + 1;

    public static LedgerAccount Read(string kind, Guid? owner)
    {
        var parsed = Enum.Parse<AccountKind>(kind);
        return owner is { } id ? LedgerAccount.Of(new AccountId(id), parsed) : LedgerAccount.System(parsed);
    }
}
