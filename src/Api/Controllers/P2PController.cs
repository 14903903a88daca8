using FogCompute.Application.Common.Messaging;
using FogCompute.Application.P2P;
using FogCompute.Application.P2P.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("p2p")]
[Route("api/p2p")]
public sealed class P2PController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("stats")]
    public Task<P2PStats> GetP2PStats(CancellationToken cancel) => dispatcher.SendAsync(new GetP2PStatsQuery(), cancel);
}
