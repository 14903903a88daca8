using FogCompute.Api.Http;
using FogCompute.Api.Realtime;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("scheduler")]
[Route("api/scheduler")]
public sealed class SchedulerController(IDispatcher dispatcher) : ControllerBase
{
    /// <summary>256 reports with the ends of their logs.</summary>
    private const long AgentBodyBytes = 16 << 20;

    [HttpGet("stats")]
    public Task<SchedulerStats> GetSchedulerStats(CancellationToken cancel) => dispatcher.SendAsync(new GetSchedulerStatsQuery(), cancel);

    [HttpGet("jobs")]
    public Task<JobList> ListJobs([FromQuery] ListJobsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpPost("jobs")]
    [ProducesResponseType<SubmitJobResult>(201)]
    public async Task<IActionResult> SubmitJob([FromBody] SubmitJobCommand command, [FromHeader(Name = "Idempotency-Key")] string? key, CancellationToken cancel)
    {
        var job = await dispatcher.SendAsync(command with { IdempotencyKey = key }, cancel);
        return Created($"/api/scheduler/jobs/{job.JobId}", job);
    }

    /// <remarks>The body is that of a submit, without quote_id and plan.</remarks>
    [HttpPost("quotes")]
    [ProducesResponseType<JobQuote>(201)]
    public async Task<IActionResult> QuoteJob([FromBody] SubmitJobCommand job, CancellationToken cancel)
    {
        var quote = await dispatcher.SendAsync(new QuoteJobCommand { Job = job }, cancel);
        return Created($"/api/scheduler/quotes/{quote.QuoteId}", quote);
    }

    [HttpGet("quotes/{id:guid}")]
    public Task<JobQuote> GetQuote(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetQuoteQuery(id), cancel);

    [HttpGet("jobs/{id:guid}")]
    public Task<JobDetail> GetJob(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetJobQuery(id), cancel);

    [HttpPatch("jobs/{id:guid}")]
    public Task<JobStatusResult> ChangeJobStatus(Guid id, [FromBody] ChangeJobStatusCommand command, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { JobId = id }, cancel);

    [HttpDelete("jobs/{id:guid}")]
    public Task<JobStatusResult> CancelJob(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new CancelJobCommand(id), cancel);

    [HttpGet("jobs/{id:guid}/tasks")]
    public Task<TaskList> ListTasks(Guid id, [FromQuery] int? limit, [FromQuery] int? cursor, CancellationToken cancel) =>
        dispatcher.SendAsync(new ListTasksQuery { JobId = id, Limit = limit ?? 100, Cursor = cursor ?? 0 }, cancel);

    [HttpGet("jobs/{id:guid}/why")]
    public Task<JobWhy> GetJobWhy(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetJobWhyQuery(id), cancel);

    [HttpGet("jobs/{id:guid}/payments")]
    public Task<JobPayments> GetJobPayments(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetJobPaymentsQuery(id), cancel);

    /// <remarks>With <c>follow=true</c> the answer is <c>text/event-stream</c>: <c>log</c> events with what is new, then one <c>end</c>.</remarks>
    [HttpGet("jobs/{id:guid}/logs")]
    [ProducesResponseType<JobLogs>(200)]
    public async Task<IActionResult> GetJobLogs(Guid id, [FromQuery] int? task, [FromQuery] bool? follow, [FromServices] JobLogStream stream, CancellationToken cancel)
    {
        var query = new GetJobLogsQuery { JobId = id, Task = task };
        if (follow != true)
            return Ok(await dispatcher.SendAsync(query, cancel));
        await stream.WriteAsync(HttpContext, query, HttpContext.RequestAborted);
        return new EmptyResult();
    }

    /// <remarks>
    /// With <c>Accept: text/event-stream</c> or <c>follow=true</c> the answer is a stream that goes on: <c>open</c>, then each event by its kind, all with ids.
    /// A client that comes back with <c>Last-Event-ID</c> (or <c>after</c>) gets what it missed; <c>reset</c> instead of <c>open</c> says that a part of it is gone.
    /// </remarks>
    [HttpGet("events")]
    [ProducesResponseType<EventList>(200)]
    public async Task<IActionResult> ListEvents(
        [FromQuery] ListEventsQuery query, [FromQuery] bool? follow, [FromHeader(Name = "Last-Event-ID")] string? lastEvent, [FromServices] EventStream stream, CancellationToken cancel)
    {
        if (follow != true && !Request.Headers.Accept.Any(a => a?.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase) == true))
            return Ok(await dispatcher.SendAsync(query, cancel));
        await stream.WriteAsync(HttpContext, query, lastEvent, HttpContext.RequestAborted);
        return new EmptyResult();
    }

    [HttpGet("passes/{id:guid}")]
    public Task<PlacementPassDetail> GetPlacementPass(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetPlacementPassQuery(id), cancel);

    [HttpGet("passes/latest")]
    [ProducesResponseType<PlacementPassDetail>(200)]
    [ProducesResponseType(404)]
    public Task<PlacementPassDetail> GetLatestPlacementPass(CancellationToken cancel) => dispatcher.SendAsync(new GetLatestPlacementPassQuery(), cancel);

    [HttpGet("nodes")]
    public Task<NodeList> ListNodes(CancellationToken cancel) => dispatcher.SendAsync(new ListNodesQuery(), cancel);

    [HttpPost("nodes/{id}/poll")]
    [UseCase(typeof(DeliverLeasesCommand))]
    public Task<LeasePollResponse> DeliverLeases(string id, [FromBody] DeliverLeasesCommand command, [FromServices] LeaseLongPoll poll) =>
        poll.WaitAsync(command with { DeviceId = id }, HttpContext.RequestAborted);

    [HttpPost("nodes/{id}/progress")]
    [RequestSizeLimit(AgentBodyBytes)]
    public Task<ProgressResponse> RecordProgress(string id, [FromBody] RecordProgressCommand command, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { DeviceId = id }, cancel);

    [HttpPost("nodes/{id}/reports")]
    [RequestSizeLimit(AgentBodyBytes)]
    public Task<ReportResponse> RecordReports(string id, [FromBody] RecordReportsCommand command, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { DeviceId = id }, cancel);
}
