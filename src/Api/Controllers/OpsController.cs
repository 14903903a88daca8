using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Operations;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("operations")]
[Route("api/ops")]
public sealed class OpsController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("jobs")]
    public Task<RecurringJobList> ListRecurringJobs(CancellationToken cancel) => dispatcher.SendAsync(new ListRecurringJobsQuery(), cancel);

    [HttpGet("jobs/{name}/runs")]
    public Task<RecurringRunList> ListRecurringRuns(string name, [FromQuery] ListRecurringRunsQuery query, CancellationToken cancel) =>
        dispatcher.SendAsync(query with { Name = name }, cancel);

    [HttpPost("jobs/{name}/trigger")]
    [ProducesResponseType<TriggeredRun>(202)]
    public async Task<IActionResult> TriggerRecurringJob(string name, CancellationToken cancel) =>
        Accepted($"/api/ops/jobs/{Uri.EscapeDataString(name)}/runs", await dispatcher.SendAsync(new TriggerRecurringJobCommand(name), cancel));

    [HttpPost("jobs/{name}/pause")]
    public Task<RecurringJobItem> PauseRecurringJob(string name, CancellationToken cancel) => dispatcher.SendAsync(new PauseRecurringJobCommand(name), cancel);

    [HttpPost("jobs/{name}/resume")]
    public Task<RecurringJobItem> ResumeRecurringJob(string name, CancellationToken cancel) => dispatcher.SendAsync(new ResumeRecurringJobCommand(name), cancel);

    [HttpGet("queues")]
    public Task<QueueFigures> GetQueues(CancellationToken cancel) => dispatcher.SendAsync(new GetQueuesQuery(), cancel);

    [HttpGet("failures")]
    public Task<FailureList> ListFailures([FromQuery] ListFailuresQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("tasks")]
    public Task<TaskRunList> ListTaskRuns([FromQuery] ListTaskRunsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("servers")]
    public Task<ServerList> ListServers(CancellationToken cancel) => dispatcher.SendAsync(new ListServersQuery(), cancel);
}
