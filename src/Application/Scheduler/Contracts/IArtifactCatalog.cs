using FogCompute.Domain.Identity;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>Which artifacts an account may use.</summary>
public interface IArtifactCatalog
{
    /// <summary>Those of <paramref name="sha256"/> (lower-case hex) that are not stored or not this account's.</summary>
    Task<IReadOnlySet<string>> MissingAsync(AccountId account, IReadOnlyCollection<string> sha256, CancellationToken cancel);
}
