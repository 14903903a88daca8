using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Quotes;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>Quotes that were given. They are rows of their own transaction: a quote is there once its answer is.</summary>
public interface IQuotes
{
    Task AddAsync(StoredQuote quote, CancellationToken cancel);

    Task<StoredQuote?> FindAsync(Guid id, CancellationToken cancel);

    /// <summary>The same under its row lock, to the end of the transaction.</summary>
    Task<StoredQuote?> LockAsync(Guid id, CancellationToken cancel);

    /// <summary>A job was submitted under it.</summary>
    Task UseAsync(Guid id, JobId job, CancellationToken cancel);

    /// <summary>Deletes at most <paramref name="atMost"/> quotes that expired before the instant; returns how many.</summary>
    Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel);

    /// <summary>How well quotes were kept, over the latest 1000 jobs that named one and tell; null before the first.</summary>
    Task<QuoteCalibration?> CalibrationAsync(CancellationToken cancel);
}

/// <param name="Request">Digest of each field of the quoted request, by wire name.</param>
/// <param name="Job">The job that was submitted under it.</param>
public sealed record StoredQuote(
    Guid Id, AccountId Account, IReadOnlyDictionary<string, string> Request, QuoteContent Content, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, JobId? Job = null);

/// <summary>What a quote says.</summary>
/// <param name="Price">What it was worked out by, and the job under it is charged by; null: given when prices were not tunable yet.</param>
public sealed record QuoteContent(int Tasks, int Replicas, IReadOnlyList<QuotePlan> Plans, IReadOnlyList<QuotePoint> Front, IReadOnlyList<WhyReason> Reasons, RunStatistics Runs, PriceTerms? Price = null);

/// <param name="Finished">Jobs under a quote that tell how well it was kept: completed ones, and those that were not when their p95 came.</param>
/// <param name="WithinP95">Of these, jobs that completed within the quoted p95.</param>
/// <param name="Percent">The share of these; 95 is what was promised.</param>
public sealed record QuoteCalibration(int Finished, int WithinP95, double Percent);

/// <summary>What finished runs say about estimates. Read-only and bounded, so cheap enough for every request.</summary>
public interface IRunHistory
{
    /// <summary>
    /// From the latest runs (30 days, at most 500) of the account where these are enough, else of the whole pool, else <see cref="RunStatistics.Prior"/>.
    /// </summary>
    Task<RunStatistics> OfAccountAsync(AccountId account, DateTimeOffset now, CancellationToken cancel);
}

/// <summary>What keeps a full pool busy.</summary>
public interface IPoolLoad
{
    /// <summary>Leases that are live, at most one row per attempt.</summary>
    Task<IReadOnlyList<LiveRun>> LiveRunsAsync(CancellationToken cancel);

    /// <summary>Seconds of estimated run time of open replicas of jobs with this priority or a higher one that could start.</summary>
    Task<double> BacklogSecondsAsync(int priority, CancellationToken cancel);
}

/// <param name="Since">When it began, or was leased while it has not.</param>
public sealed record LiveRun(string DeviceId, TimeSpan Estimate, DateTimeOffset Since);
