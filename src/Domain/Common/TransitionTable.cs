namespace FogCompute.Domain.Common;

/// <summary>The allowed state changes of one entity. An illegal one is a defect or a race and always throws.</summary>
public sealed class TransitionTable<TState> where TState : struct, Enum
{
    private readonly string _entity;
    private readonly HashSet<(TState From, TState To)> _allowed = [];

    public TransitionTable(string entity, params (TState From, TState[] To)[] rows)
    {
        _entity = entity;
        foreach (var (from, targets) in rows)
        foreach (var to in targets)
            _allowed.Add((from, to));
    }

    public bool Allows(TState from, TState to) => _allowed.Contains((from, to));

    /// <summary>Returns <paramref name="to"/>; throws <see cref="FogException"/> (conflict) when the table has no such row.</summary>
    public TState Move(TState from, TState to) =>
        Allows(from, to) ? to : throw new FogException(new FogError($"{_entity}.illegal_transition", ErrorKind.Conflict, $"A {_entity} that is {from} cannot become {to}."));

    /// <summary>Every (from, to) pair, for documentation and tests.</summary>
    public IReadOnlyCollection<(TState From, TState To)> Rows => _allowed;
}
