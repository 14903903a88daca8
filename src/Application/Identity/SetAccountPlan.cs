using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// PUT /api/identity/accounts/{id}/plan
// The account's limits are those of the plan within 5 s on every control-plane process.

/// <summary>Give an account a plan; its limits count within 5 seconds. Only operators may.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("identity.plan_changed", Subject = nameof(AccountPlanAnswer.AccountId), Details = [nameof(AccountPlanAnswer.Plan)])]
public sealed record SetAccountPlanCommand : ICommand<AccountPlanAnswer>
{
    /// <summary>free, pro or enterprise.</summary>
    public required Plan Plan { get; init; }

    [JsonIgnore] public AccountId Id { get; init; }
}

/// <param name="Plan">free, pro or enterprise.</param>
public sealed record AccountPlanAnswer(bool Success, Guid AccountId, string Plan);

internal sealed class SetAccountPlanHandler(IIdentityDb db) : ICommandHandler<SetAccountPlanCommand, AccountPlanAnswer>
{
    public async Task<AccountPlanAnswer> Handle(SetAccountPlanCommand command, CancellationToken cancellationToken)
    {
        var account = await db.Accounts.FirstOrDefaultAsync(a => a.Id == command.Id, cancellationToken) ?? throw new FogException(IdentityErrors.AccountNotFound);
        account.ChangePlan(command.Plan);
        return new AccountPlanAnswer(true, account.Id.Value, PlanLimits.Word(account.Plan));
    }
}
