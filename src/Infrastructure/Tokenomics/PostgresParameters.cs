using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>The values in force are what the changes add up to; there are few of them, so no second table repeats the latest.</summary>
internal sealed class PostgresParameters(FogDbContext db) : IParameters, IParameterBook
{
    public async Task<ParameterValues> CurrentAsync(CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            "SELECT DISTINCT ON (name) version, name, value FROM tokenomics.parameter_changes ORDER BY name, version DESC",
            r => (Version: r.GetInt64(0), Name: r.GetString(1), Value: r.GetInt64(2)), cancel);
        return rows.Count == 0 ? ParameterValues.Defaults : new ParameterValues(rows.Max(r => r.Version), rows.ToDictionary(r => r.Name, r => r.Value));
    }

    public async Task<ParameterChange> SetAsync(ParameterDefinition parameter, long value, string? proposal, DateTimeOffset at, CancellationToken cancel)
    {
        // One writer at a time: versions are consecutive, and each knows what it replaced.
        await db.ExecuteSqlAsync("LOCK TABLE tokenomics.parameter_changes IN EXCLUSIVE MODE", cancel);
        return (await db.QuerySqlAsync(
            """
            INSERT INTO tokenomics.parameter_changes (version, name, previous, value, proposal, changed_at)
            SELECT (SELECT coalesce(max(version), 0) + 1 FROM tokenomics.parameter_changes), $1,
                   coalesce((SELECT value FROM tokenomics.parameter_changes WHERE name = $1 ORDER BY version DESC LIMIT 1), $2), $3, $4, $5
            RETURNING version, name, previous, value, proposal, changed_at
            """, Read, cancel, parameter.Name, parameter.Default, value, Sql.Typed(proposal, NpgsqlDbType.Text), at.ToUniversalTime())).Single();
    }

    public async Task<IReadOnlyList<ParameterChange>> HistoryAsync(string? name, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT version, name, previous, value, proposal, changed_at FROM tokenomics.parameter_changes
            WHERE $1::text IS NULL OR name = $1 ORDER BY version DESC LIMIT $2
            """, Read, cancel, Sql.Typed(name, NpgsqlDbType.Text), limit);

    private static ParameterChange Read(Npgsql.NpgsqlDataReader r) =>
        new(r.GetInt64(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetFieldValue<DateTimeOffset>(5));
}
