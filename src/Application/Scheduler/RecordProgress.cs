using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;

namespace FogCompute.Application.Scheduler;

// POST /api/scheduler/nodes/{id}/progress
// Notes where running attempts are and the end of their logs; answers which of them must stop.

[RequiresPermission(Permissions.DeviceAgent)]
public sealed record RecordProgressCommand : ICommand<ProgressResponse>
{
    /// <summary>1–256 attempts.</summary>
    public required IReadOnlyList<AttemptProgress> Items { get; init; }

    [JsonIgnore]
    public string DeviceId { get; init; } = "";
}

internal sealed class RecordProgressValidator : AbstractValidator<RecordProgressCommand>
{
    public RecordProgressValidator()
    {
        RuleFor(c => c.Items).Must(i => i.Count is >= 1 and <= 256).WithMessage("1–256 attempts.");
        RuleForEach(c => c.Items).ChildRules(item =>
        {
            item.RuleFor(i => i.State).Must(s => s is "staging" or "running" or "uploading").WithMessage("must be staging, running or uploading.");
            item.RuleFor(i => i.LogTail).MaximumLength(32_768);
            item.RuleFor(i => i.LogBytes).GreaterThanOrEqualTo(0);
        });
    }
}

internal sealed class RecordProgressHandler(IJobQueue queue, CallerContext context, ITransactionScope transaction)
    : ICommandHandler<RecordProgressCommand, ProgressResponse>
{
    public async Task<ProgressResponse> Handle(RecordProgressCommand command, CancellationToken cancellationToken)
    {
        DeviceAccess.RequireSelf(context.Caller, command.DeviceId);
        var executions = await queue.LockByAttemptsAsync([.. command.Items.Select(i => new AttemptId(i.AttemptId))], cancellationToken);
        var byAttempt = executions.SelectMany(e => e.Attempts.Select(a => (Attempt: a, Execution: e))).ToDictionary(x => x.Attempt.Id.Value);
        var revoked = new List<Revocation>();
        foreach (var item in command.Items)
        {
            if (!byAttempt.TryGetValue(item.AttemptId, out var found) || found.Attempt.DeviceId != command.DeviceId || found.Attempt.Epoch != item.Epoch)
            {
                revoked.Add(new Revocation(item.AttemptId, "unknown_lease"));
                continue;
            }
            if (!found.Attempt.State.IsLive())
            {
                revoked.Add(new Revocation(item.AttemptId, found.Attempt.Reason ?? JobWords.Word(found.Attempt.State)));
                continue;
            }
            var state = item.State switch { "staging" => AttemptState.Staging, "uploading" => AttemptState.Uploading, _ => AttemptState.Running };
            found.Execution.Progress(found.Attempt, state, item.StartedAt?.ToUniversalTime(), item.LogTail, item.LogBytes);
            transaction.SignalAfterCommit(Topics.Job(found.Attempt.JobId.Value));
        }
        await queue.SaveAsync(executions, cancellationToken);
        return new ProgressResponse { Revoked = revoked };
    }
}
