using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Dashboard;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("dashboard")]
[Route("api/dashboard")]
public sealed class DashboardController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("stats")]
    public Task<DashboardStats> GetDashboardStats(CancellationToken cancel) => dispatcher.SendAsync(new GetDashboardStatsQuery(), cancel);
}
