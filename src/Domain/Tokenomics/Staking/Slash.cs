using System.Text.Json;
using System.Text.Json.Serialization;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.Tokenomics.Staking;

public enum SlashReason
{
    /// <summary>A result that was outvoted.</summary>
    WrongResult,
    /// <summary>Two different signed receipts for one attempt under one epoch.</summary>
    Equivocation,
}

public enum SlashState
{
    /// <summary>Taken, and waiting for an appeal until its time is over.</summary>
    Escrowed,
    /// <summary>Waiting for a decision.</summary>
    Appealed,
    /// <summary>Divided between the harmed requester and nobody.</summary>
    Executed,
    /// <summary>Back where it was taken from.</summary>
    Reversed,
}

/// <summary>Which attempt is to blame for what, and who was harmed by it.</summary>
/// <param name="Harmed">Requester of the attempt's job.</param>
/// <param name="Evidence">JSON text, kept as written; null where the attempts' own records say it.</param>
public sealed record Offence(SlashReason Reason, AccountId Owner, AccountId Harmed, JobId Job, int TaskIndex, string DeviceId, AttemptId Attempt, string? Evidence);

/// <summary>A part of a stake that an offence cost: in escrow until the appeal is over, then executed or reversed, once.</summary>
public sealed class Slash
{
    private static readonly TransitionTable<SlashState> States = new("slash",
        (SlashState.Escrowed, [SlashState.Appealed, SlashState.Executed]), (SlashState.Appealed, [SlashState.Executed, SlashState.Reversed]));

    public required Guid Id { get; init; }
    public required Offence Offence { get; init; }
    public required SlashTake Taken { get; init; }

    /// <summary>Basis points of the harmed requester; the rest is burned.</summary>
    public required int HarmedShare { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset AppealUntil { get; init; }
    public SlashState State { get; private set; }
    public string? Appeal { get; private set; }
    public DateTimeOffset? AppealedAt { get; private set; }
    public string? Decision { get; private set; }

    /// <summary>Who decided the appeal; null: nobody appealed.</summary>
    public string? DecidedBy { get; private set; }
    public DateTimeOffset? DecidedAt { get; private set; }
    public long AmountMicro => checked(Taken.FromStaked + Taken.FromUnbonding);

    /// <summary>Nobody gets a share of its own slash: where the slashed owner had asked for the work itself, all of it is burned.</summary>
    public static Slash Escrow(Guid id, Offence offence, SlashTake taken, long harmedShare, TimeSpan appealTime, DateTimeOffset at) => new()
    {
        Id = id, Offence = offence, Taken = taken, HarmedShare = offence.Harmed == offence.Owner ? 0 : (int)harmedShare, CreatedAt = at, AppealUntil = at + appealTime,
    };

    /// <summary>Rebuilds a recorded slash.</summary>
    public Slash As(SlashState state, string? appeal, DateTimeOffset? appealedAt, string? decision, string? decidedBy, DateTimeOffset? decidedAt)
    {
        (State, Appeal, AppealedAt, Decision, DecidedBy, DecidedAt) = (state, appeal, appealedAt, decision, decidedBy, decidedAt);
        return this;
    }

    /// <summary>The same attempt is slashed once for each reason.</summary>
    public static string KeyOf(AttemptId attempt, SlashReason reason) => reason == SlashReason.WrongResult ? $"slash:{attempt}" : $"slash:{attempt}:equivocation";

    /// <summary>Staked and unbonding → slashed.</summary>
    public Transfer Taking() => Move(TransferKind.Slash, KeyOf(Offence.Attempt, Offence.Reason), CreatedAt,
        new(LedgerAccount.Staked(Offence.Owner), -Taken.FromStaked), new(LedgerAccount.Unbonding(Offence.Owner), -Taken.FromUnbonding), new(Escrowed, AmountMicro));

    /// <exception cref="FogException">409: the time is over, or it was appealed or decided already.</exception>
    public void AppealAgainst(string reason, DateTimeOffset at)
    {
        if (State != SlashState.Escrowed)
            throw new FogException(TokenomicsErrors.SlashNotAppealable(State));
        if (at >= AppealUntil)
            throw new FogException(TokenomicsErrors.AppealOver(AppealUntil));
        State = States.Move(State, SlashState.Appealed);
        (Appeal, AppealedAt) = (reason, at);
    }

    /// <summary>Decides an appeal. Reversed: the caller puts what was taken back into the owner's stake (<see cref="OwnerStake.Restore"/>).</summary>
    /// <exception cref="FogException">409: nobody appealed, or it is decided.</exception>
    public Transfer Decide(bool uphold, string by, string reason, DateTimeOffset at)
    {
        if (State != SlashState.Appealed)
            throw new FogException(TokenomicsErrors.SlashNotAppealed(State, AppealUntil));
        (Decision, DecidedBy) = (reason, by);
        if (uphold)
            return Execute(at);
        State = States.Move(State, SlashState.Reversed);
        DecidedAt = at;
        return Move(TransferKind.SlashReversal, $"slash-reversed:{Id:D}", at,
            new(Escrowed, -AmountMicro), new(LedgerAccount.Staked(Offence.Owner), Taken.FromStaked), new(LedgerAccount.Unbonding(Offence.Owner), Taken.FromUnbonding));
    }

    /// <summary>Nobody appealed in time: slashed → the harmed requester's share, rounded down, and burned.</summary>
    public Transfer ExecuteUnappealed(DateTimeOffset at)
    {
        if (State != SlashState.Escrowed || at < AppealUntil)
            throw new InvalidOperationException($"Slash {Id} is {State} and may be appealed until {AppealUntil:O}.");
        return Execute(at);
    }

    private static LedgerAccount Escrowed => LedgerAccount.System(AccountKind.Slashed);

    private Transfer Execute(DateTimeOffset at)
    {
        State = States.Move(State, SlashState.Executed);
        DecidedAt = at;
        var share = (long)((Int128)AmountMicro * HarmedShare / 10_000);
        return Move(TransferKind.SlashExecution, $"slash-executed:{Id:D}", at,
            new(Escrowed, -AmountMicro), new(LedgerAccount.Available(Offence.Harmed), share), new(LedgerAccount.System(AccountKind.Burned), AmountMicro - share));
    }

    private Transfer Move(TransferKind kind, string key, DateTimeOffset at, params Posting[] postings) => Transfer.Create(
        kind, key, postings, at, Offence.Job, Offence.TaskIndex, new SlashCause(Id, Offence.Reason.ToString(), Offence.DeviceId, Offence.Attempt.Value).ToJson());
}

/// <summary>Why a slash moved credits; kept as JSON text in the journal.</summary>
public sealed record SlashCause(
    [property: JsonPropertyName("slash")] Guid Slash,
    [property: JsonPropertyName("reason")] string Reason,
    [property: JsonPropertyName("device")] string Device,
    [property: JsonPropertyName("attempt")] Guid Attempt)
{
    public string ToJson() => JsonSerializer.Serialize(this, SlashCauseJson.Default.SlashCause);
}

[JsonSerializable(typeof(SlashCause))]
internal sealed partial class SlashCauseJson : JsonSerializerContext;
