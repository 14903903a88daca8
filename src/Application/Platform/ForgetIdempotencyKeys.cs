using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Platform;

// Recurring, no route. Deletes remembered answers that are older than what callers were promised.

[RequiresPermission(Permissions.Operate)]
public sealed record ForgetIdempotencyKeysCommand : ICommand<RecurringOutcome>;

/// <summary>How long answers are kept.</summary>
public static class IdempotencyRetention
{
    public static readonly TimeSpan Kept = TimeSpan.FromHours(24);
}

/// <summary>Removal of remembered answers, oldest first.</summary>
public interface IIdempotencyKeys
{
    /// <summary>Deletes at most <paramref name="atMost"/> keys taken before the instant; returns how many.</summary>
    Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel);
}

internal sealed class ForgetIdempotencyKeysHandler(IIdempotencyKeys keys, TimeProvider time) : ICommandHandler<ForgetIdempotencyKeysCommand, RecurringOutcome>
{
    // Small enough that nobody waits for the locks of one run.
    private const int Batch = 5_000;

    public async Task<RecurringOutcome> Handle(ForgetIdempotencyKeysCommand request, CancellationToken cancellationToken)
    {
        var forgotten = await keys.ForgetAsync(time.GetUtcNow() - IdempotencyRetention.Kept, Batch, cancellationToken);
        return new RecurringOutcome(MoreToDo: forgotten == Batch);
    }
}
