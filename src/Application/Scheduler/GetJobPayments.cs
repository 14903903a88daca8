using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/jobs/{id}/payments
// Who was paid what for a job: read from the settlements in the ledger's journal.

[RequiresPermission(Permissions.JobsRead)]
public sealed record GetJobPaymentsQuery(Guid JobId) : IQuery<JobPayments>;

/// <summary>Credits. <paramref name="Total"/> is what the requester was charged: payments + fee + burned.</summary>
public sealed record JobPayments(IReadOnlyList<DevicePayment> Payments, decimal Fee, decimal Burned, decimal Total);

internal sealed class GetJobPaymentsHandler(ISchedulerDb db, IJobCharges charges, CallerContext context) : IQueryHandler<GetJobPaymentsQuery, JobPayments>
{
    public async Task<JobPayments> Handle(GetJobPaymentsQuery query, CancellationToken cancellationToken)
    {
        var id = new JobId(query.JobId);
        await JobAccess.RequireAsync(db, context.Caller, id, cancellationToken);
        var paid = await charges.PaymentsAsync(id, cancellationToken);
        return new JobPayments(paid.Devices, paid.Fee, paid.Burned, paid.Devices.Sum(d => d.Amount) + paid.Fee + paid.Burned);
    }
}
