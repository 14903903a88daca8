namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>Decides slashes; proposals that ask for it are refused where none is registered.</summary>
public interface ISlashCourt
{
    /// <summary>Decides within the current transaction.</summary>
    /// <param name="uphold">False: the amount goes back.</param>
    /// <param name="by">Who decided: <c>proposal:ID</c>.</param>
    /// <exception cref="Domain.Common.FogException">There is no such slash, or it cannot be decided (any more).</exception>
    Task DecideAsync(Guid slash, bool uphold, string by, string reason, DateTimeOffset at, CancellationToken cancel);
}

/// <summary>Pays what stakes have earned so far, so that a new yield holds from its first instant only.</summary>
public interface IStakeAccrual
{
    Task AccrueAllAsync(DateTimeOffset at, CancellationToken cancel);
}
