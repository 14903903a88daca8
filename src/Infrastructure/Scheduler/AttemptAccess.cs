using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Which requester's artifacts a device may touch: those of jobs whose attempt it holds live.</summary>
internal sealed class AttemptAccess(FogDbContext db, TimeProvider time) : IAttemptAccess
{
    public async Task<AccountId?> OwnerOfLiveAttemptAsync(string deviceId, AttemptId attempt, CancellationToken cancel)
    {
        var owners = await db.QuerySqlAsync(
            $"""
            SELECT j.account_id FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
            WHERE a.id = $1 AND a.device_id = $2 AND a.state IN {QueueOrder.Live} AND a.expires_at > $3
            """, r => new AccountId(r.GetGuid(0)), cancel, attempt.Value, deviceId, time.GetUtcNow());
        return owners.Count == 0 ? null : owners[0];
    }

    public async Task<bool> IsInputAsync(AttemptId attempt, ArtifactDigest digest, CancellationToken cancel) =>
        await db.ScalarSqlAsync<bool>(
            """
            SELECT EXISTS (
                SELECT FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
                WHERE a.id = $1 AND (EXISTS (SELECT FROM scheduler.tasks t WHERE t.job_id = a.job_id AND t.index = a.task_index AND t.checkpoint_sha256 = $2 AND j.checkpoint_path IS NOT NULL)
                    OR j.specification -> 'payload' ->> 'module' = $2
                    OR EXISTS (SELECT FROM jsonb_array_elements(j.specification -> 'inputs') AS i(input) WHERE i.input ->> 'sha256' = $2)))
            """, cancel, attempt.Value, digest.Hex);
}
