using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/quotes/{id}
// A quote as it was given, for its account; a day after it expired it is forgotten.

[RequiresPermission(Permissions.JobsRead)]
public sealed record GetQuoteQuery(Guid QuoteId) : IQuery<JobQuote>;

internal sealed class GetQuoteHandler(IQuotes quotes, CallerContext context) : IQueryHandler<GetQuoteQuery, JobQuote>
{
    public async Task<JobQuote> Handle(GetQuoteQuery query, CancellationToken cancellationToken)
    {
        if (await quotes.FindAsync(query.QuoteId, cancellationToken) is not { } quote || !context.Caller.MayActFor(quote.Account))
            throw new FogException(SchedulerErrors.QuoteNotFound);
        return JobQuote.Of(quote, await quotes.CalibrationAsync(cancellationToken));
    }
}
