using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Application.Tokenomics.Parameters;
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

    // Staking
    [HttpPost("stake")]
    public Task<StakeResult> Stake([FromBody] StakeCommand command, [FromHeader(Name = "Idempotency-Key")] string? key, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { IdempotencyKey = key }, cancel);

    [HttpPost("unstake")]
    public Task<UnstakeResult> Unstake([FromBody] UnstakeCommand command, [FromHeader(Name = "Idempotency-Key")] string? key, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { IdempotencyKey = key }, cancel);

    [HttpPost("claim")]
    public Task<ClaimResult> ClaimUnbonded([FromBody] ClaimUnbondedCommand command, [FromHeader(Name = "Idempotency-Key")] string? key, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { IdempotencyKey = key }, cancel);

    [HttpGet("stakes")]
    public Task<StakesDto> GetStakes([FromQuery] GetStakesQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("rewards")]
    public Task<RewardsDto> GetRewards([FromQuery] GetRewardsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("slashes")]
    public Task<SlashesDto> ListSlashes([FromQuery] ListSlashesQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpPost("slashes/{id:guid}/appeal")]
    public Task<SlashDto> AppealSlash(Guid id, [FromBody] AppealSlashCommand command, CancellationToken cancel) => dispatcher.SendAsync(command with { SlashId = id }, cancel);

    [HttpPost("slashes/{id:guid}/decision")]
    public Task<SlashDto> DecideSlash(Guid id, [FromBody] DecideSlashCommand command, CancellationToken cancel) => dispatcher.SendAsync(command with { SlashId = id }, cancel);

    [HttpGet("parameters")]
    public Task<ParameterList> ListParameters(CancellationToken cancel) => dispatcher.SendAsync(new ListParametersQuery(), cancel);

    [HttpGet("parameters/{name}")]
    public Task<ParameterItem> GetParameter(string name, CancellationToken cancel) => dispatcher.SendAsync(new GetParameterQuery(name), cancel);

    [HttpPost("proposals/{id}/rehearsal")]
    public Task<RehearsalAnswer> RehearseProposal(string id, CancellationToken cancel, [FromQuery] int days = 7) =>
        dispatcher.SendAsync(new RehearseProposalCommand { Proposal = id, Days = days }, cancel);

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
