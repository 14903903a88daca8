using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Identity.Contracts;

/// <summary>What device registration asks of this module, inside its transaction.</summary>
public interface IEnrolment
{
    /// <summary>Locks the enrolment tokens that these callers came with.</summary>
    Task LockAsync(IEnumerable<Caller> callers, CancellationToken cancel);

    /// <summary>
    /// Counts the registration of <paramref name="deviceId"/> against the locked enrolment token of <paramref name="caller"/>. Callers of any other
    /// kind pass unharmed. Repeating it for the same machine spends nothing.
    /// </summary>
    /// <exception cref="Domain.Common.FogException">401 when the token is spent, revoked or expired; nothing is counted then.</exception>
    void Spend(Caller caller, string deviceId);
}
