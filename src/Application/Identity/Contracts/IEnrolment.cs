namespace FogCompute.Application.Identity.Contracts;

/// <summary>What device registration asks of this module.</summary>
public interface IEnrolment
{
    /// <summary>
    /// Counts the registration of <paramref name="deviceId"/> against the enrolment token the current request came with, inside the running
    /// transaction. Callers of any other kind pass unharmed. Repeating it for the same machine spends nothing.
    /// </summary>
    /// <exception cref="Domain.Common.FogException">401 when the token is spent, revoked or expired.</exception>
    Task SpendAsync(string deviceId, CancellationToken cancel);
}
