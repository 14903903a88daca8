using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Health;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("health")]
public sealed class HomeController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("/")]
    public Task<ServiceInfoAnswer> GetServiceInfo(CancellationToken cancel) => dispatcher.SendAsync(new GetServiceInfoQuery(), cancel);
}
