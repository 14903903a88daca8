using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Governance;
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

    [HttpGet("proposals")]
    public Task<ProposalList> ListProposals([FromQuery] ListProposalsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpPost("proposals")]
    [ProducesResponseType<ProposalCreated>(201)]
    public async Task<IActionResult> CreateProposal([FromBody] CreateProposalCommand command, CancellationToken cancel)
    {
        var proposal = await dispatcher.SendAsync(command, cancel);
        return Created($"/api/tokenomics/proposals/{proposal.ProposalId}", proposal);
    }

    [HttpGet("proposals/{id}")]
    public Task<ProposalDetail> GetProposal(string id, CancellationToken cancel) => dispatcher.SendAsync(new GetProposalQuery(id), cancel);

    [HttpGet("proposals/{id}/ballots")]
    public Task<BallotList> ListBallots(string id, [FromQuery] ListBallotsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query with { ProposalId = id }, cancel);

    [HttpPost("proposals/{id}/cancel")]
    public Task<ProposalItem> CancelProposal(string id, [FromBody] CancelProposalCommand command, CancellationToken cancel) => dispatcher.SendAsync(command with { ProposalId = id }, cancel);

    [HttpPost("vote")]
    public Task<VoteAnswer> Vote([FromBody] VoteCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpPost("delegate")]
    public Task<DelegateAnswer> Delegate([FromBody] DelegateCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpGet("delegation")]
    public Task<DelegationDto> GetDelegation([FromQuery] GetDelegationQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);
}
