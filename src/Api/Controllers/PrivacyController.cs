using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Privacy;
using FogCompute.Application.Privacy.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("privacy")]
[Route("api/privacy")]
public sealed class PrivacyController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("stats")]
    public Task<PrivacyStats> GetPrivacyStats(CancellationToken cancel) => dispatcher.SendAsync(new GetPrivacyStatsQuery(), cancel);

    [HttpGet("circuits")]
    public Task<CircuitList> ListCircuits(CancellationToken cancel) => dispatcher.SendAsync(new ListCircuitsQuery(), cancel);
}
