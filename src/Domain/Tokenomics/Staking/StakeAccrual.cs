using System.Globalization;
using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Tokenomics.Staking;

/// <summary>
/// What one owner's stake earns, exactly: the integral of stake × yield over time as an integer, of which whole micro-credits are paid and the rest
/// is carried. So neither the number of stakes nor the number of payments changes what is earned in the end by as much as one micro-credit.
/// </summary>
public sealed class StakeAccrual
{
    private StakeAccrual(AccountId owner, Int128 numerator, DateTimeOffset accruedTo, long paidMicro, DateOnly paidDay)
    {
        Owner = owner;
        Numerator = numerator;
        AccruedTo = accruedTo;
        PaidMicro = paidMicro;
        PaidDay = paidDay;
    }

    /// <summary>Numerator of one micro-credit: a year of 365 days in microseconds × 10 000 basis points.</summary>
    public static Int128 PerMicroCredit => (Int128)365 * 86_400 * 1_000_000 * 10_000;

    public AccountId Owner { get; }

    /// <summary>Micro-credits × microseconds × basis points, not paid yet.</summary>
    public Int128 Numerator { get; private set; }

    public DateTimeOffset AccruedTo { get; private set; }

    /// <summary>Ever paid.</summary>
    public long PaidMicro { get; private set; }

    /// <summary>Last UTC day it was paid on, or the day it began.</summary>
    public DateOnly PaidDay { get; private set; }

    /// <summary>Whole micro-credits that can be paid.</summary>
    public long DueMicro => (long)(Numerator / PerMicroCredit);

    public static StakeAccrual Begin(AccountId owner, DateTimeOffset at) => new(owner, 0, at, 0, DateOnly.FromDateTime(at.UtcDateTime));

    /// <summary>Rebuilds a recorded accrual.</summary>
    public static StakeAccrual Restore(AccountId owner, Int128 numerator, DateTimeOffset accruedTo, long paidMicro, DateOnly paidDay) =>
        new(owner, numerator, accruedTo, paidMicro, paidDay);

    /// <summary>
    /// Counts the time since the last call with the stake as it was all that time; call it before the stake changes. An instant that is not later
    /// (clocks of two processes differ) counts nothing, and the next one counts from where it had come to.
    /// </summary>
    /// <param name="poolEmpty">Nothing is earned while the rewards pool has nothing to pay with; the time passes all the same.</param>
    public void Accrue(long stakedMicro, YieldCurve yield, bool poolEmpty, DateTimeOffset at)
    {
        if (at <= AccruedTo)
            return;
        if (!poolEmpty)
            Numerator = checked(Numerator + (stakedMicro * yield.Between(AccruedTo, at)));
        AccruedTo = at;
    }

    /// <summary>Pays up to <paramref name="micro"/> of what is due and closes the day; null when there is nothing to pay.</summary>
    public Transfer? Pay(long micro, DateOnly day, DateTimeOffset at)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(micro, DueMicro);
        PaidDay = day;
        if (micro <= 0)
            return null;
        Numerator -= micro * PerMicroCredit;
        PaidMicro = checked(PaidMicro + micro);
        return Transfer.Create(TransferKind.StakingReward, $"reward:{Owner.Value:D}:{day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
            [new(LedgerAccount.System(AccountKind.RewardsPool), -micro), new(LedgerAccount.Available(Owner), micro)], at);
    }

    /// <summary>
    /// Divides what the pool has among those who are due: everything where it suffices, else in proportion, rounded down, and the micro-credits that
    /// rounding leaves to the first in the list; so a pool that does not suffice is empty afterwards.
    /// </summary>
    public static IReadOnlyList<long> Divide(long poolMicro, IReadOnlyList<long> due)
    {
        var total = due.Aggregate((Int128)0, (sum, d) => sum + d);
        if (total <= poolMicro)
            return due;
        var shares = due.Select(d => (long)(d * (Int128)poolMicro / total)).ToArray();
        var left = poolMicro - shares.Sum();
        for (var i = 0; left > 0; i++)
        {
            if (shares[i] == due[i])
                continue;
            shares[i]++;
            left--;
        }
        return shares;
    }
}
