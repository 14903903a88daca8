using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Governance;

// POST /api/tokenomics/proposals
// Puts a proposal on record, pending. What it would run is fixed from here on, and so are the rules of its vote.

/// <summary>Propose something to the holders of stakes: a text (resolution), or one action that runs by itself when it is carried.</summary>
[RequiresPermission(Permissions.Govern)]
[Audited("tokenomics.proposal_created", Subject = nameof(ProposalCreated.ProposalId), Details = [nameof(Title)])]
public sealed record CreateProposalCommand : ICommand<ProposalCreated>
{
    /// <summary>One line, 10–200 characters.</summary>
    public required string Title { get; init; }

    /// <summary>What and why, 50–5000 characters.</summary>
    public required string Description { get; init; }

    /// <summary>The caller's own ledger address; absent: the same.</summary>
    public string? Proposer { get; init; }

    /// <summary>What runs when it is carried; absent: nothing, it is a resolution.</summary>
    public ProposalActionInput? Action { get; init; }
}

public enum ProposalActionType
{
    SetParameter,
    TreasuryTransfer,
    DecideSlash,
}

/// <summary>One action; which members it has depends on its type.</summary>
public sealed record ProposalActionInput
{
    public required ProposalActionType Type { get; init; }

    /// <summary>set_parameter: its name, as in GET /api/tokenomics/parameters.</summary>
    public string? Name { get; init; }

    /// <summary>set_parameter: the value in the parameter's unit.</summary>
    public long? Value { get; init; }

    /// <summary>treasury_transfer: the recipient's ledger address.</summary>
    public string? To { get; init; }

    /// <summary>treasury_transfer: credits, at most six places.</summary>
    public decimal? Amount { get; init; }

    /// <summary>decide_slash: its id.</summary>
    public Guid? SlashId { get; init; }

    /// <summary>decide_slash: true carries it out, false gives the amount back.</summary>
    public bool? Uphold { get; init; }

    internal ProposalAction ToAction() => Type switch
    {
        ProposalActionType.SetParameter => new ProposalAction.SetParameter(Name!, Value!.Value),
        ProposalActionType.TreasuryTransfer => new ProposalAction.TreasuryTransfer(To!, (long)(Amount!.Value * Credits.MicroPerCredit)),
        _ => new ProposalAction.DecideSlash(SlashId!.Value, Uphold!.Value),
    };
}

/// <param name="ProposalId">SHA-256 over proposer, action and text, 64 hexadecimal digits.</param>
public sealed record ProposalCreated(bool Success, string ProposalId);

internal sealed class CreateProposalValidator : AbstractValidator<CreateProposalCommand>
{
    public CreateProposalValidator(IValidator<ProposalActionInput> action)
    {
        RuleFor(c => c.Title).OneLine(200).MinimumLength(10).WithMessage("must be 10–200 characters.");
        RuleFor(c => c.Description).Length(50, 5000);
        RuleFor(c => c.Proposer).Length(1, 100);
        RuleFor(c => c.Action!).SetValidator(action);
    }
}

internal sealed class ProposalActionInputValidator : AbstractValidator<ProposalActionInput>
{
    public ProposalActionInputValidator()
    {
        RuleFor(a => a.Name).Length(1, 100);
        RuleFor(a => a.To).Length(1, 100);
        RuleFor(a => a.Amount).InclusiveBetween(0.000001m, 1_000_000m);
        RuleFor(a => a.Amount).Must(a => a is null || a * Credits.MicroPerCredit % 1 == 0).WithMessage("must have at most six decimal places.");
        Of(a => a.Name, ProposalActionType.SetParameter);
        Of(a => a.Value, ProposalActionType.SetParameter);
        Of(a => a.To, ProposalActionType.TreasuryTransfer);
        Of(a => a.Amount, ProposalActionType.TreasuryTransfer);
        Of(a => a.SlashId, ProposalActionType.DecideSlash);
        Of(a => a.Uphold, ProposalActionType.DecideSlash);
    }

    /// <summary>Needed for this type, unknown to the others.</summary>
    private void Of<T>(System.Linq.Expressions.Expression<Func<ProposalActionInput, T>> member, ProposalActionType type)
    {
        RuleFor(member).NotNull().When(a => a.Type == type).WithMessage($"is missing; an action of type {LedgerWords.Of(type)} needs it.");
        RuleFor(member).Null().When(a => a.Type != type).WithMessage($"belongs to an action of type {LedgerWords.Of(type)}.");
    }
}

internal sealed class CreateProposalHandler(IProposals proposals, ProposalActions actions, ILedgerBook book, IParameters parameters, CallerContext context, TimeProvider time)
    : ICommandHandler<CreateProposalCommand, ProposalCreated>
{
    public async Task<ProposalCreated> Handle(CreateProposalCommand command, CancellationToken cancellationToken)
    {
        var proposer = await GovernanceAccess.OwnAsync(book, context.Caller.Account, command.Proposer, "proposer", cancellationToken);
        var now = time.Now();
        var action = command.Action?.ToAction();
        var values = await parameters.CurrentAsync(cancellationToken);
        var standing = await proposals.LockProposerAsync(proposer.Owner, cancellationToken);
        await actions.CheckAsync(action, now, cancellationToken);

        var needed = StakeShare.Threshold(standing.SupplyMicro, values[ParameterCatalogue.ProposalThreshold]);
        if (standing.StakedMicro < needed)
            throw new FogException(TokenomicsErrors.ProposalThreshold(standing.StakedMicro, needed));
        var proposal = Proposal.Create(proposer.Owner, command.Title, command.Description, action, ProposalTerms.Of(values), now);
        if (!await proposals.AddAsync(proposal, cancellationToken))
            throw new FogException(TokenomicsErrors.ProposalExists(proposal.Id));
        if (standing.OpenProposals >= values[ParameterCatalogue.OpenProposals])
            throw new FogException(TokenomicsErrors.TooManyProposals(standing.OpenProposals, values[ParameterCatalogue.OpenProposals]));
        await proposals.RecordAsync(proposal.Id, now, ProposalState.Pending, "Proposed.", cancellationToken);
        return new ProposalCreated(true, proposal.Id);
    }
}
