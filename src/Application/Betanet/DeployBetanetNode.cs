using FluentValidation;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Betanet;

// POST /api/betanet/deploy
// Starts a node of the mix network; 503 where no betanet is configured.

/// <summary>Start a node of the mix network.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record DeployBetanetNodeCommand : ICommand<BetanetDeployment>
{
    /// <summary>1–64 characters.</summary>
    public string NodeType { get; init; } = "mixnode";

    /// <summary>1–64 characters.</summary>
    public string Region { get; init; } = "us-east";
}

internal sealed class DeployBetanetNodeValidator : AbstractValidator<DeployBetanetNodeCommand>
{
    public DeployBetanetNodeValidator()
    {
        RuleFor(c => c.NodeType).OneLine(64);
        RuleFor(c => c.Region).OneLine(64);
    }
}

internal sealed class DeployBetanetNodeHandler(IBetanet betanet) : ICommandHandler<DeployBetanetNodeCommand, BetanetDeployment>
{
    public async Task<BetanetDeployment> Handle(DeployBetanetNodeCommand command, CancellationToken cancellationToken) =>
        await betanet.DeployAsync(command.NodeType, command.Region, cancellationToken) ?? throw new FogException(BetanetErrors.NotConfigured);
}
