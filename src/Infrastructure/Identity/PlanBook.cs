using System.Collections.Concurrent;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using Npgsql;

namespace FogCompute.Infrastructure.Identity;

internal sealed class PlanBook(NpgsqlDataSource database, TimeProvider time) : IPlanBook
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);
    private const int MostEntries = 10_000;

    private readonly ConcurrentDictionary<AccountId, (Plan Plan, long At)> _known = new();
    private int _entries;

    public ValueTask<Plan> OfAsync(AccountId account, CancellationToken cancel) =>
        Remembered(account) is { } plan ? ValueTask.FromResult(plan) : new ValueTask<Plan>(ReadAsync(account, cancel));

    public Plan? Remembered(AccountId account) => _known.TryGetValue(account, out var hit) && time.GetElapsedTime(hit.At) < Freshness ? hit.Plan : null;

    /// <summary>What this build does not know is not worth more than free.</summary>
    internal static Plan Parse(string? text) => Enum.TryParse<Plan>(text, out var known) && Enum.IsDefined(known) ? known : Plan.Free;

    private async Task<Plan> ReadAsync(AccountId account, CancellationToken cancel)
    {
        await using var command = database.CreateCommand("SELECT plan FROM identity.accounts WHERE id = $1");
        command.Parameters.Add(new NpgsqlParameter { Value = account.Value });
        var plan = Parse(await command.ExecuteScalarAsync(cancel) as string);
        if (Interlocked.Increment(ref _entries) > MostEntries)
        {
            _known.Clear();
            _entries = 0;
        }
        _known[account] = (plan, time.GetTimestamp());
        return plan;
    }
}
