using FogCompute.Application.Betanet;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Common.Messaging;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("betanet")]
[Route("api/betanet")]
public sealed class BetanetController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("status")]
    public Task<BetanetStatus> GetBetanetStatus(CancellationToken cancel) => dispatcher.SendAsync(new GetBetanetStatusQuery(), cancel);

    [HttpPost("deploy")]
    public Task<BetanetDeployment> DeployBetanetNode([FromBody] DeployBetanetNodeCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);
}
