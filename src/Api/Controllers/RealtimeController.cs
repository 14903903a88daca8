using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Realtime;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("realtime")]
[Route("api/ws")]
public sealed class RealtimeController(IDispatcher dispatcher) : ControllerBase
{
    [HttpPost("ticket")]
    public Task<SocketTicket> IssueSocketTicket(CancellationToken cancel) => dispatcher.SendAsync(new IssueSocketTicketCommand(), cancel);
}
