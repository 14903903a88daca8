using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Tokenomics.Parameters;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Tokenomics.Parameters;

// At start, before anybody is let in.
// The founder's settings take effect at the first start of a pool, however many processes start at once; at every later start they change nothing.

/// <summary>Puts the founder's settings in force if this is the first start; answers how many were.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ApplyFoundersParametersCommand : ICommand<int>;

internal sealed partial class ApplyFoundersParametersHandler(
    FoundersParameters founders, IPoolOrigin origin, IParameterBook book, IParameters parameters, TimeProvider time, ILogger<ApplyFoundersParametersHandler> log)
    : ICommandHandler<ApplyFoundersParametersCommand, int>
{
    public async Task<int> Handle(ApplyFoundersParametersCommand command, CancellationToken cancellationToken)
    {
        if (founders.Values.Count == 0)
            return 0;
        var untouched = await origin.IsUntouchedAsync(cancellationToken);
        var current = await parameters.CurrentAsync(cancellationToken);
        var differing = founders.Values.Where(v => current[v.Key] != v.Value).OrderBy(v => v.Key.Name, StringComparer.Ordinal).ToList();
        if (differing.Count == 0)
            return 0;
        if (!untouched)
        {
            Ignored(log, string.Join(", ", differing.Select(v => $"{v.Key.Name}={v.Value} (in force: {current[v.Key]})")));
            return 0;
        }
        var now = time.GetUtcNow();
        foreach (var (parameter, value) in differing)
            await book.SetAsync(parameter, value, proposal: null, now, cancellationToken);
        Applied(log, string.Join(", ", differing.Select(v => $"{v.Key.Name}={v.Value}")));
        return differing.Count;
    }

    [LoggerMessage(1, LogLevel.Information, "founders_parameters_applied First start of this pool; FOG_PARAMETERS is in force: {values}")]
    private static partial void Applied(ILogger logger, string values);

    [LoggerMessage(2, LogLevel.Warning, "founders_parameters_ignored FOG_PARAMETERS changes nothing any more, this pool has started before; proposals decide now. Not in force: {values}")]
    private static partial void Ignored(ILogger logger, string values);
}
