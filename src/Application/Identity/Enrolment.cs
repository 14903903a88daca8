using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

internal sealed class Enrolment(IIdentityDb db, TimeProvider clock) : IEnrolment
{
    private Dictionary<AccessKeyId, AccessKey> _locked = [];

    public async Task LockAsync(IEnumerable<Caller> callers, CancellationToken cancel)
    {
        var ids = callers.Select(TokenOf).OfType<AccessKeyId>().ToHashSet();
        _locked = ids.Count == 0 ? [] : (await db.LockKeysAsync(ids, cancel)).ToDictionary(k => k.Id);
    }

    public void Spend(Caller caller, string deviceId)
    {
        if (TokenOf(caller) is not { } id)
            return;
        if (!_locked.TryGetValue(id, out var token))
            throw new FogException(IdentityErrors.InvalidToken);
        token.Spend(deviceId, clock.GetUtcNow());
    }

    private static AccessKeyId? TokenOf(Caller caller) => caller is { Kind: CallerKind.EnrolmentToken, Key: { } key } ? new AccessKeyId(key) : null;
}
