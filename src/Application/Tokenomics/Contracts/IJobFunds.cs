using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Tokenomics.Contracts;

/// <summary>Sets credits aside for jobs that are being admitted, inside the running transaction.</summary>
public interface IJobFunds
{
    /// <summary>Places a hold for each job whose requester can pay for it, in this order. Returns the others, each with its refusal: nothing was written for them.</summary>
    /// <exception cref="FogException">404 <c>tokenomics.account_missing</c>: a requester has no ledger accounts.</exception>
    Task<IReadOnlyDictionary<JobId, FogException>> HoldAsync(IReadOnlyList<AdmittedJob> jobs, CancellationToken cancel);
}

/// <param name="HoldMicro">Micro-credits to set aside.</param>
/// <param name="EndsBy">When the job ends at the latest, and with it the hold.</param>
public sealed record AdmittedJob(JobId Job, AccountId Requester, long HoldMicro, DateTimeOffset At, DateTimeOffset EndsBy);
