using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.Tokenomics;

public enum HoldState
{
    Open,
    Closed,
}

/// <summary>Credits set aside for one job. Invariant: amount = remaining + settled + released, none below zero; closed means nothing remains.</summary>
public sealed class Hold
{
    private static readonly TransitionTable<HoldState> States = new("hold", (HoldState.Open, [HoldState.Closed]));

    private Hold(JobId job, AccountId owner, long amount, DateTimeOffset openedAt, DateTimeOffset expiresAt)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(amount);
        Job = job;
        Owner = owner;
        Amount = Remaining = amount;
        OpenedAt = openedAt;
        ExpiresAt = expiresAt;
    }

    public JobId Job { get; }

    public AccountId Owner { get; }

    public long Amount { get; }

    public long Remaining { get; private set; }

    public long Settled { get; private set; }

    public long Released { get; private set; }

    public HoldState State { get; private set; }

    public DateTimeOffset OpenedAt { get; }

    /// <summary>When its job ends at the latest; the end of the job gives back what then remains. An open hold well past it is a fault, and the reconciler says so.</summary>
    public DateTimeOffset ExpiresAt { get; }

    public DateTimeOffset? ClosedAt { get; private set; }

    public static Hold Open(JobId job, AccountId owner, long amountMicro, DateTimeOffset at, DateTimeOffset expiresAt) => new(job, owner, amountMicro, at, expiresAt);

    /// <summary>Rebuilds a recorded hold.</summary>
    public static Hold Restore(
        JobId job, AccountId owner, long amount, long remaining, long settled, long released, HoldState state, DateTimeOffset openedAt, DateTimeOffset expiresAt,
        DateTimeOffset? closedAt) =>
        new(job, owner, amount, openedAt, expiresAt) { Remaining = remaining, Settled = settled, Released = released, State = state, ClosedAt = closedAt };

    /// <summary>The movement that sets the credits aside; null for a job that costs nothing.</summary>
    public Transfer? Placement() => Amount == 0 ? null : Transfer.Create(TransferKind.Hold, $"hold:{Job}",
        [new(LedgerAccount.Available(Owner), -Amount), new(LedgerAccount.Held(Owner), Amount)], OpenedAt, Job);

    /// <summary>Takes the cost of one task out of the hold: all of it, or what is left (a closed hold has nothing left). Returns what was taken.</summary>
    public long Charge(long costMicro)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(costMicro);
        var charged = Math.Min(costMicro, Remaining);
        Remaining -= charged;
        Settled = checked(Settled + charged);
        return charged;
    }

    /// <summary>Ends the hold; the movement gives back what remains, null when nothing does.</summary>
    /// <exception cref="FogException">It is closed already.</exception>
    public Transfer? Close(DateTimeOffset at)
    {
        State = States.Move(State, HoldState.Closed);
        ClosedAt = at;
        Released = Remaining;
        Remaining = 0;
        return Released == 0 ? null : Transfer.Create(TransferKind.Release, $"release:{Job}",
            [new(LedgerAccount.Held(Owner), -Released), new(LedgerAccount.Available(Owner), Released)], at, Job);
    }
}
