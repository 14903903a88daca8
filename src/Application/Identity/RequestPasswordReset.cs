using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/reset-password
// The same row is written and the same answer given for every address; whether somebody has it is looked up later, by SendPasswordResets.

/// <summary>Ask for a link to choose a new password. The answer is the same whether the address is known or not.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record RequestPasswordResetCommand : ICommand<DoneAnswer>
{
    public required string Email { get; init; }
}

internal sealed class RequestPasswordResetValidator : AbstractValidator<RequestPasswordResetCommand>
{
    public RequestPasswordResetValidator() => RuleFor(c => c.Email).IsEmail();
}

internal sealed class RequestPasswordResetHandler(IPasswordResets resets, ITransactionScope scope, TimeProvider clock) : ICommandHandler<RequestPasswordResetCommand, DoneAnswer>
{
    /// <summary>So that nobody's mailbox can be filled.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(2);

    public async Task<DoneAnswer> Handle(RequestPasswordResetCommand command, CancellationToken cancellationToken)
    {
        await resets.RequestAsync(User.KeyOf(command.Email), clock.GetUtcNow(), Quiet, cancellationToken);
        scope.SignalAfterCommit(Topics.PasswordResets);
        return new DoneAnswer(true, "If somebody has that address, a link is on its way; it is good for 30 minutes.");
    }
}
