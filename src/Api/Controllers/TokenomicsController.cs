using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("tokenomics")]
[Route("api/tokenomics")]
public sealed class TokenomicsController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("balance")]
    public Task<BalanceDto> GetBalance([FromQuery] GetBalanceQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("ledger")]
    public Task<LedgerEntriesDto> ListLedgerEntries([FromQuery] ListLedgerEntriesQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("statement")]
    public Task<StatementDto> GetStatement([FromQuery] GetStatementQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    /// <remarks>Streamed, as one array or with <c>format=csv</c> as <c>text/csv</c>.</remarks>
    [HttpGet("ledger/export")]
    [ProducesResponseType<IReadOnlyList<ExportedLine>>(200, "application/json", "text/csv")]
    public async Task<IActionResult> ExportLedger([FromQuery] ExportLedgerQuery query, CancellationToken cancel)
    {
        await LedgerExportWriter.WriteAsync(HttpContext, await dispatcher.SendAsync(query, cancel), HttpContext.RequestAborted);
        return new EmptyResult();
    }

    [HttpGet("stats")]
    public Task<TokenomicsStats> GetTokenomicsStats(CancellationToken cancel) => dispatcher.SendAsync(new GetTokenomicsStatsQuery(), cancel);

    [HttpGet("checkpoints")]
    public Task<CheckpointsDto> ListCheckpoints([FromQuery] ListCheckpointsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("checkpoints/{day}")]
    public Task<CheckpointDto> GetCheckpoint(DateOnly day, CancellationToken cancel) => dispatcher.SendAsync(new GetCheckpointQuery(day), cancel);

    [HttpGet("reconciliation")]
    public Task<ReconciliationDto> GetReconciliation(CancellationToken cancel) => dispatcher.SendAsync(new GetReconciliationQuery(), cancel);

    [HttpGet("audit")]
    public Task<LedgerAuditDto> AuditLedger(CancellationToken cancel) => dispatcher.SendAsync(new AuditLedgerQuery(), cancel);
}
