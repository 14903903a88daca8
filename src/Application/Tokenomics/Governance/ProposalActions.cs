using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>Whether an action can run, asked when it is proposed and again when it runs, and its running.</summary>
internal sealed class ProposalActions(
    IParameters parameters, IParameterBook parameterBook, ILedger ledger, ILedgerBook book, IProposals proposals, ISlashCourt court, IStakeAccrual accrual)
{
    private static readonly LedgerAccount Treasury = LedgerAccount.System(AccountKind.Treasury);

    /// <exception cref="FogException">It could not run as things are; names the field of the request.</exception>
    public async Task CheckAsync(ProposalAction? action, DateTimeOffset now, CancellationToken cancel)
    {
        switch (action)
        {
            case ProposalAction.SetParameter set:
                await RequireAsync(set, cancel);
                break;
            case ProposalAction.TreasuryTransfer transfer:
                _ = await book.FindAsync(transfer.To, cancel) ?? throw TokenomicsErrors.RecipientUnknown.On("action.to");
                await RequireAllowanceAsync(transfer, (await ledger.LockAsync([Treasury], cancel))[Treasury], now, cancel);
                break;
        }
    }

    /// <summary>Runs what the proposal's payload says, in the current transaction. Returns the micro-credits that it took from the treasury.</summary>
    /// <exception cref="FogException">It cannot run any more.</exception>
    public async Task<long> RunAsync(Proposal proposal, DateTimeOffset now, CancellationToken cancel)
    {
        if (!proposal.IsAsShown)
            throw new FogException(TokenomicsErrors.PayloadChanged);
        switch (ProposalAction.Parse(proposal.Payload))
        {
            case ProposalAction.SetParameter set:
                var parameter = await RequireAsync(set, cancel);
                if (parameter == ParameterCatalogue.StakeYield)
                    await accrual.AccrueAllAsync(now, cancel);
                await parameterBook.SetAsync(parameter, set.Value, proposal.Id, now, cancel);
                return 0;
            case ProposalAction.TreasuryTransfer transfer:
                await TransferAsync(proposal, transfer, now, cancel);
                return transfer.AmountMicro;
            case ProposalAction.DecideSlash decide:
                await court.DecideAsync(decide.Slash, decide.Uphold, $"proposal:{proposal.Id}", proposal.Title, cancel);
                return 0;
            default:
                return 0;
        }
    }

    private async Task<ParameterDefinition> RequireAsync(ProposalAction.SetParameter set, CancellationToken cancel)
    {
        var parameter = ParameterCatalogue.Find(set.Name) ?? throw TokenomicsErrors.ParameterUnknown(set.Name).On("action.name");
        if (!parameter.Allows(set.Value))
            throw TokenomicsErrors.ParameterOutOfBounds(parameter, set.Value).On("action.value");
        return (await parameters.CurrentAsync(cancel))[parameter] == set.Value ? throw TokenomicsErrors.ParameterUnchanged(parameter, set.Value).On("action.value") : parameter;
    }

    private async Task TransferAsync(Proposal proposal, ProposalAction.TreasuryTransfer transfer, DateTimeOffset now, CancellationToken cancel)
    {
        var recipient = await book.FindAsync(transfer.To, cancel) ?? throw new FogException(TokenomicsErrors.RecipientUnknown);
        var available = LedgerAccount.Available(recipient.Owner);
        // Both at once keep the ledger's lock order.
        var balances = await ledger.LockAsync([Treasury, available], cancel);
        await RequireAllowanceAsync(transfer, balances[Treasury], now, cancel);
        await ledger.PostAsync(
            [Transfer.Create(TransferKind.TreasuryGrant, $"proposal:{proposal.Id}", [new(Treasury, -transfer.AmountMicro), new(available, transfer.AmountMicro)], now, cause: $$"""{"proposal":"{{proposal.Id}}"}""")], [], cancel);
    }

    private async Task RequireAllowanceAsync(ProposalAction.TreasuryTransfer transfer, long treasury, DateTimeOffset now, CancellationToken cancel)
    {
        var limit = (await parameters.CurrentAsync(cancel))[ParameterCatalogue.TreasuryLimit];
        var allowed = StakeShare.TreasuryAllowance(treasury, limit, await proposals.GrantedSinceAsync(now - StakeShare.TreasuryWindow, cancel));
        if (transfer.AmountMicro > allowed)
            throw TokenomicsErrors.TreasuryLimit(transfer.AmountMicro, allowed, treasury).On("action.amount");
    }
}
