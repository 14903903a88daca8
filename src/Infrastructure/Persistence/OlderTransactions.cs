using System.Diagnostics;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>
/// For chains over rows that draw their numbers from a sequence and commit in any order. Read the last number drawn, then wait here: every writer
/// that drew it or a smaller one has an older transaction id (a trigger takes the id first), so afterwards all of them are committed or will stay
/// unused for ever. See docs/adr/0006-journal-sealed-in-blocks.md.
/// </summary>
internal static class OlderTransactions
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);

    /// <summary>False when an older transaction is still open after <paramref name="patience"/>.</summary>
    public static async Task<bool> EndAsync(FogDbContext db, TimeSpan patience, CancellationToken cancel)
    {
        var mine = await db.ScalarSqlAsync<string>("SELECT pg_current_xact_id()::text", cancel);
        var started = Stopwatch.GetTimestamp();
        while (!await db.ScalarSqlAsync<bool>("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8", cancel, mine))
        {
            if (Stopwatch.GetElapsedTime(started) > patience)
                return false;
            await Task.Delay(Poll, TimeProvider.System, cancel); // The database's time, not the product's: a test clock must not stop it.
        }
        return true;
    }
}
