using FogCompute.Domain.Common;

namespace FogCompute.Domain.Scheduler;

public static class SchedulerErrors
{
    public static readonly FogError JobNotFound = new("scheduler.job_not_found", ErrorKind.NotFound, "There is no such job, or it belongs to another account.");
    public static readonly FogError DependencyNotFound = new("scheduler.dependency_not_found", ErrorKind.Invalid, "A job named in depends_on does not exist or belongs to another account.");
    public static readonly FogError DependencyFailed = new("scheduler.dependency_failed", ErrorKind.Conflict, "A job named in depends_on has already failed or was cancelled, so this job could never start.");
    public static readonly FogError DeadlinePassed = new("scheduler.deadline_passed", ErrorKind.Invalid, "The deadline lies in the past; it must be later than now.");
    public static readonly FogError ContainerUnavailable = new("scheduler.container_unavailable", ErrorKind.Invalid, "No device of this pool offers containers yet. Use a 'command' (isolation 'sandbox') or a 'wasm' payload.");
    public static readonly FogError InputMissing = new("scheduler.input_missing", ErrorKind.Invalid, "An input artifact is not there. Upload it first with PUT /api/artifacts/{sha256}.");
    public static readonly FogError PassNotFound = new("scheduler.pass_not_found", ErrorKind.NotFound, "There is no such placement pass; passes are kept for seven days.");
    public static readonly FogError NoPassYet = new("scheduler.pass_not_found", ErrorKind.NotFound, "No placement pass has searched a front in the last seven days: few or very short tasks are placed at once, without a search. Submit some tens of tasks that run for a while.");

    public static readonly FogError QuoteNotFound = new("scheduler.quote_not_found", ErrorKind.NotFound, "There is no such quote, or it belongs to another account. Quotes are forgotten a day after they expired.");
    public static readonly FogError QuoteUnknown = new("scheduler.quote_unknown", ErrorKind.Invalid, "There is no such quote, or it belongs to another account. Ask for one with POST /api/scheduler/quotes.");
    public static readonly FogError QuoteWithoutPlan = new("scheduler.quote_without_plan", ErrorKind.Conflict, "The quote found no plan, so there is nothing of it to buy; its reasons say why. Submit without quote_id, and the job waits until the pool suits it.");

    public static FogError QuoteExpired(DateTimeOffset at) =>
        new("scheduler.quote_expired", ErrorKind.Conflict, $"The quote expired at {at:yyyy-MM-dd HH:mm:ss} UTC. Ask for a new one.");

    public static FogError QuoteUsed(JobId job) =>
        new("scheduler.quote_used", ErrorKind.Conflict, $"The quote was used by job {job}; a quote is good for one job. Ask for a new one.");

    public static FogError QuoteDiffers(IEnumerable<string> fields) =>
        new("scheduler.quote_differs", ErrorKind.Invalid, $"What was quoted differs in {string.Join(", ", fields)}. Submit what was quoted, or ask for a quote of this.");

    public static FogError OverMaxPrice(decimal quote) =>
        new("scheduler.over_max_price", ErrorKind.Invalid, $"The quote is {quote:0.000000} credits, above max_price. Raise max_price, or lower cpu_required, memory_required, duration_estimate, the tier or the array count.");

    public static FogError Finished(JobState state) =>
        new("scheduler.job_finished", ErrorKind.Conflict, $"The job is already {state.ToString().ToLowerInvariant()}.");

    public static FogError NotPaused(JobState state) =>
        new("scheduler.job_not_paused", ErrorKind.Conflict, $"Only a paused job can be resumed; this one is {state.ToString().ToLowerInvariant()}.");

    public static readonly FogError Paused = new("scheduler.job_paused", ErrorKind.Conflict, "The job is paused; it starts nothing until it is resumed.");

    public static FogError AlreadyPaused { get; } = new("scheduler.job_already_paused", ErrorKind.Conflict, "The job is paused already.");
}
