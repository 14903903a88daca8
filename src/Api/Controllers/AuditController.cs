using System.Buffers;
using System.Text.Json;
using FogCompute.Api.Http;
using FogCompute.Application.Audit;
using FogCompute.Application.Common.Messaging;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("audit")]
[Route("api/audit")]
public sealed class AuditController(IDispatcher dispatcher) : ControllerBase
{
    private const int Chunk = 32 * 1024;

    [HttpGet("entries")]
    public Task<AuditEntries> ListAuditEntries([FromQuery] ListAuditEntriesQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    /// <remarks>Streamed, one JSON object a line.</remarks>
    [HttpGet("export")]
    [ProducesResponseType<AuditEntryItem>(200, "application/x-ndjson")]
    public async Task<IActionResult> ExportAuditLog([FromQuery] ExportAuditLogQuery query, CancellationToken cancel)
    {
        var export = await dispatcher.SendAsync(query, cancel);
        Response.ContentType = "application/x-ndjson";
        Response.Headers.ContentDisposition = "attachment; filename=\"audit.ndjson\"";
        Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(Response.BodyWriter);
        await foreach (var entry in export.Entries.WithCancellation(cancel))
        {
            JsonSerializer.Serialize(json, entry, JsonSetup.Responses);
            json.Flush();
            json.Reset();
            Response.BodyWriter.Write("\n"u8);
            if (Response.BodyWriter.UnflushedBytes >= Chunk)
                await Response.BodyWriter.FlushAsync(cancel);
        }
        await Response.BodyWriter.FlushAsync(cancel);
        return new EmptyResult();
    }

    [HttpGet("verification")]
    public Task<AuditVerification> VerifyAuditLog([FromQuery] VerifyAuditLogQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);
}
