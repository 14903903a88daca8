using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

internal sealed class Enrolment(IIdentityDb db, CredentialContext context, TimeProvider clock) : IEnrolment
{
    public async Task SpendAsync(string deviceId, CancellationToken cancel)
    {
        if (context.Credential is not { Kind: CallerKind.EnrolmentToken, Key: { } id })
            return;
        var token = await db.FindKeyForUpdateAsync(id, cancel) ?? throw new FogException(IdentityErrors.InvalidToken);
        token.Spend(deviceId, clock.GetUtcNow());
    }
}
