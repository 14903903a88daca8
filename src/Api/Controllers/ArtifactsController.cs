using FogCompute.Application.Artifacts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;

namespace FogCompute.Api.Controllers;

[Tags("artifacts")]
[Route("api/artifacts/{sha256}")]
public sealed class ArtifactsController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet]
    [ProducesResponseType<FileResult>(200, "application/octet-stream")]
    [ProducesResponseType(206)]
    [ProducesResponseType(304)]
    [ProducesResponseType(416)]
    public async Task<IActionResult> GetArtifact(string sha256, [FromQuery] Guid? attempt, CancellationToken cancel)
    {
        var artifact = await dispatcher.SendAsync(new GetArtifactQuery { Sha256 = sha256, Attempt = attempt }, cancel);
        Response.Headers.CacheControl = "private, immutable, max-age=31536000";
        return File(artifact.Content, "application/octet-stream", artifact.Digest.Hex, lastModified: null, new EntityTagHeaderValue($"\"{artifact.Digest.Hex}\""), enableRangeProcessing: true);
    }

    [HttpHead]
    [ProducesResponseType(200)]
    public async Task<IActionResult> HeadArtifact(string sha256, [FromQuery] Guid? attempt, CancellationToken cancel)
    {
        var presence = await dispatcher.SendAsync(new HeadArtifactQuery { Sha256 = sha256, Attempt = attempt }, cancel);
        if (presence.Size is not { } size)
        {
            TellOffset(presence.UploadOffset);
            throw new FogException(ArtifactErrors.NotFound);
        }
        Response.ContentType = "application/octet-stream";
        Response.ContentLength = size;
        Response.Headers.ETag = $"\"{sha256}\"";
        Response.Headers.AcceptRanges = "bytes";
        return new EmptyResult();
    }

    /// <remarks>The size limit is the store's, not the general one for bodies.</remarks>
    [HttpPut]
    [DisableRequestSizeLimit]
    [Http.BinaryBody]
    [ProducesResponseType<UploadOutcome>(200)]
    [ProducesResponseType<UploadOutcome>(201)]
    [ProducesResponseType<UploadOutcome>(202)]
    public async Task<IActionResult> UploadArtifact(string sha256, [FromQuery] Guid? attempt, CancellationToken cancel)
    {
        var outcome = await dispatcher.SendAsync(new UploadArtifactCommand { Sha256 = sha256, Attempt = attempt, Range = RangeOfBody(), Body = Request.Body }, cancel);
        if (outcome.WrongOffset)
        {
            TellOffset(outcome.Size);
            throw new FogException(ArtifactErrors.OffsetMismatch(outcome.Size));
        }
        if (!outcome.Complete)
        {
            TellOffset(outcome.Size);
            return Accepted(outcome);
        }
        return outcome.Created ? Created($"/api/artifacts/{sha256}", outcome) : Ok(outcome);
    }

    private UploadRange RangeOfBody()
    {
        if (!Request.Headers.TryGetValue(HeaderNames.ContentRange, out var text))
            return new UploadRange(0, Request.ContentLength, Total: Request.ContentLength, Continues: false);
        if (!ContentRangeHeaderValue.TryParse(text.ToString(), out var range) || range is not { Unit.Value: "bytes", From: { } first, To: { } last, Length: { } total }
            || (Request.ContentLength is { } length && length != last - first + 1))
            throw ArtifactErrors.InvalidRange.On("content_range");
        return new UploadRange(first, last - first + 1, total, Continues: true);
    }

    /// <summary>Set late: an error answer clears the headers that were there before.</summary>
    private void TellOffset(long offset) => Response.OnStarting(() =>
    {
        Response.Headers["Upload-Offset"] = offset.ToString();
        return Task.CompletedTask;
    });
}
