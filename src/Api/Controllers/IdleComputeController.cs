using FogCompute.Application.Common.Messaging;
using FogCompute.Application.IdleCompute;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("idle-compute")]
[Route("api/idle-compute")]
public sealed class IdleComputeController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("stats")]
    public Task<IdleComputeStats> GetIdleComputeStats(CancellationToken cancel) => dispatcher.SendAsync(new GetIdleComputeStatsQuery(), cancel);

    [HttpGet("devices")]
    public Task<DeviceList> ListDevices([FromQuery] ListDevicesQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpPost("devices")]
    [ProducesResponseType<RegisterDeviceResult>(201)]
    public async Task<IActionResult> RegisterDevice([FromBody] RegisterDeviceCommand command, CancellationToken cancel)
    {
        var device = await dispatcher.SendAsync(command, cancel);
        return Created($"/api/idle-compute/devices/{device.DeviceId}", device);
    }

    [HttpGet("devices/{id}")]
    public Task<DeviceDetail> GetDevice(string id, CancellationToken cancel) => dispatcher.SendAsync(new GetDeviceQuery(id), cancel);

    [HttpGet("devices/{id}/why")]
    public Task<DeviceWhy> GetDeviceWhy(string id, CancellationToken cancel) => dispatcher.SendAsync(new GetDeviceWhyQuery(id), cancel);

    [HttpPost("devices/{id}/heartbeat")]
    public Task<HeartbeatResult> HeartbeatDevice(string id, [FromBody(EmptyBodyBehavior = Microsoft.AspNetCore.Mvc.ModelBinding.EmptyBodyBehavior.Allow)] HeartbeatDeviceCommand? body, [FromQuery] double? battery, [FromQuery(Name = "is_charging")] bool? charging, CancellationToken cancel) =>
        dispatcher.SendAsync(new HeartbeatDeviceCommand { DeviceId = id, Battery = battery ?? body?.Battery, IsCharging = charging ?? body?.IsCharging }, cancel);

    [HttpDelete("devices/{id}")]
    public Task<UnregisterDeviceResult> UnregisterDevice(string id, CancellationToken cancel) => dispatcher.SendAsync(new UnregisterDeviceCommand(id), cancel);
}
