namespace FogCompute.Domain.Tokenomics;

/// <summary>What a stretch of the journal adds up to. Amounts in micro-credits.</summary>
public sealed class JournalTotals
{
    public long Settlements { get; private set; }

    /// <summary>Taken out of holds by settlements.</summary>
    public long Charged { get; private set; }

    /// <summary>Paid by settlements to the owners of devices.</summary>
    public long Paid { get; private set; }

    /// <summary>The part of <see cref="Charged"/> whose settlements say what was measured.</summary>
    public long Metered { get; private set; }

    /// <summary>Cores × milliseconds of those.</summary>
    public long CoreMs { get; private set; }

    public long StakingRewards { get; private set; }

    public long TreasuryGrants { get; private set; }

    public void Append(JournalTransfer transfer)
    {
        switch (transfer.Kind)
        {
            case nameof(TransferKind.Settlement):
                var charged = -Sum(transfer, AccountKind.Held);
                Settlements++;
                Charged += charged;
                Paid += Sum(transfer, AccountKind.Available);
                if (transfer.Cause is not null && SettlementCause.Parse(transfer.Cause).Metering is { } metering)
                {
                    Metered += charged;
                    CoreMs += metering.CpuMillicores * metering.BilledMs / 1000;
                }
                break;
            case nameof(TransferKind.StakingReward):
                StakingRewards += Sum(transfer, AccountKind.Available);
                break;
            case nameof(TransferKind.TreasuryGrant):
                TreasuryGrants += Sum(transfer, AccountKind.Available);
                break;
        }
    }

    private static long Sum(JournalTransfer transfer, AccountKind kind)
    {
        var word = kind.ToString();
        return transfer.Postings.Where(p => p.AccountKind == word).Sum(p => p.Amount);
    }
}
