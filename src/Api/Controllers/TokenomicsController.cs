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

    [HttpGet("audit")]
    public Task<LedgerAuditDto> AuditLedger(CancellationToken cancel) => dispatcher.SendAsync(new AuditLedgerQuery(), cancel);
}
