using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Parameters;
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

    [HttpGet("parameters")]
    public Task<ParameterList> ListParameters(CancellationToken cancel) => dispatcher.SendAsync(new ListParametersQuery(), cancel);

    [HttpGet("parameters/{name}")]
    public Task<ParameterItem> GetParameter(string name, CancellationToken cancel) => dispatcher.SendAsync(new GetParameterQuery(name), cancel);

    [HttpPost("proposals/{id}/rehearsal")]
    public Task<RehearsalAnswer> RehearseProposal(string id, CancellationToken cancel, [FromQuery] int days = 7) =>
        dispatcher.SendAsync(new RehearseProposalCommand { Proposal = id, Days = days }, cancel);
}
