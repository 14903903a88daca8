using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity.Events;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>A new account gets its ledger accounts and 100 credits from the faucet (what is left when less, nothing when it is empty).</summary>
internal sealed class OnAccountOpened(ILedger ledger) : IEventHandler<AccountOpened>
{
    private static readonly LedgerAccount Faucet = LedgerAccount.System(AccountKind.Faucet);

    public async Task Handle(AccountOpened notification, CancellationToken cancellationToken)
    {
        await ledger.OpenOwnerAsync(notification.Account, notification.Address, notification.At, cancellationToken);
        // How much is granted depends on the balance, so both are locked before it is decided.
        var balances = await ledger.LockAsync([Faucet, LedgerAccount.Available(notification.Account)], cancellationToken);
        if (Genesis.Greeting(notification.Account, balances[Faucet], notification.At) is not { } greeting)
            return;
        var earlier = await ledger.FindAsync([greeting.IdempotencyKey], cancellationToken);
        if (earlier.Count == 0)
            await ledger.PostAsync([greeting], [], cancellationToken);
    }
}
