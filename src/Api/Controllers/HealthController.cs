using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Health;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("health")]
public sealed class HealthController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("/health")]
    public Task<HealthAnswer> GetHealth(CancellationToken cancel) => dispatcher.SendAsync(new GetHealthQuery(), cancel);

    [HttpGet("/livez")]
    public Task<LivenessAnswer> GetLiveness(CancellationToken cancel) => dispatcher.SendAsync(new GetLivenessQuery(), cancel);

    [HttpGet("/readyz")]
    public Task<ReadinessAnswer> GetReadiness(CancellationToken cancel) => dispatcher.SendAsync(new GetReadinessQuery(), cancel);
}
