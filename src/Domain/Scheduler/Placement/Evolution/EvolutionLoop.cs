using System.Numerics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// NSGA-II: each generation breeds as many children as there are parents and keeps the better half of both. Parents are drawn by binary
/// tournament (better front, then more room around, then a coin), each individual taking part in two; <see cref="IVariation{TGene}"/> crosses
/// and mutates; <see cref="Survival"/> keeps whole fronts and splits the last by the strategy of the settings, which makes it NSGA-III or a
/// hypervolume-based algorithm instead. Source: Deb, Pratap, Agarwal, Meyarivan, IEEE TEC 6(2), 2002. Cost per generation, evaluation apart:
/// O(N log N) for two objectives, O(N²/64) words for three and more, O(N × variables) to copy.
/// <para>
/// Fronts and distances of the survivors are those of the joint sorting: leaving out dominated rows changes no front before them, so
/// nothing is sorted twice. The population lives in flat arrays, parents first, children behind; a surviving child moves into the place of
/// a dead parent. A generation allocates nothing (with several threads only what the thread pool's queue takes). Chance is drawn on the
/// calling thread only, so a seed gives the same run for any number of threads.
/// </para>
/// <para>Use: <see cref="Run"/> for everything, or <see cref="Start"/> and then <see cref="Step"/> as often as wanted. Not thread-safe.</para>
/// </summary>
public sealed class EvolutionLoop<TGene> : IDisposable
    where TGene : unmanaged, INumber<TGene>
{
    private readonly IEvolutionProblem<TGene> _problem;
    private readonly IVariation<TGene> _variation;
    private readonly EvolutionSettings _settings;
    private readonly TimeProvider _clock;
    private readonly BatchEvaluator<TGene> _evaluator;
    private readonly int _size;
    private readonly int _variableCount;
    private readonly int _objectiveCount;
    private readonly TGene[] _genes;
    private readonly double[] _objectives;
    private readonly double[] _violations;
    private readonly int[] _ranks;
    private readonly double[] _diversity;
    private readonly int[] _shuffled;
    private readonly int[] _parents;
    private readonly bool[] _survives;
    private readonly int[] _byObjectives;
    private readonly int[] _copies;
    private readonly double[] _standing;
    private Survival? _survival;
    private Xoshiro256 _random;

    /// <param name="problem">What to minimise.</param>
    /// <param name="variation">How to make individuals.</param>
    /// <param name="settings">Sizes, limits, seed.</param>
    /// <param name="clock">For the budget and the elapsed time only.</param>
    public EvolutionLoop(IEvolutionProblem<TGene> problem, IVariation<TGene> variation, EvolutionSettings settings, TimeProvider clock)
    {
        settings.Validate();
        Bounds.Require(problem.Lower.Span, problem.Upper.Span);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(problem.ObjectiveCount);
        (_problem, _variation, _settings, _clock) = (problem, variation, settings, clock);
        (_size, _variableCount, _objectiveCount) = (settings.Population, problem.VariableCount, problem.ObjectiveCount);
        _genes = new TGene[2 * _size * _variableCount];
        _objectives = new double[2 * _size * _objectiveCount];
        _violations = new double[2 * _size];
        _ranks = new int[_size];
        _diversity = new double[_size];
        _shuffled = new int[_size];
        _parents = new int[_size];
        _survives = new bool[2 * _size];
        _byObjectives = new int[settings.SetCopiesBack ? BitOperations.RoundUpToPowerOf2((uint)(4 * _size)) : 0];
        _copies = new int[settings.SetCopiesBack ? 2 * _size : 0];
        _standing = new double[settings.SetCopiesBack ? 2 * _size : 0];
        _evaluator = new BatchEvaluator<TGene>(problem, _genes, _objectives, _violations, settings.Threads);
        _random = new Xoshiro256(settings.Seed);
    }

    /// <summary>Generations bred since <see cref="Start"/>.</summary>
    public int Generation { get; private set; }

    /// <summary>Individuals evaluated since <see cref="Start"/>, the first population included.</summary>
    public long Evaluations { get; private set; }

    /// <summary>Genes of the population: individuals × variables.</summary>
    public ReadOnlySpan<TGene> Genes => _genes.AsSpan(0, _size * _variableCount);

    /// <summary>Objectives of the population: individuals × objectives.</summary>
    public ReadOnlySpan<double> Objectives => _objectives.AsSpan(0, _size * _objectiveCount);

    /// <summary>Constraint violation per individual.</summary>
    public ReadOnlySpan<double> Violations => _violations.AsSpan(0, _size);

    /// <summary>Front per individual, 0 the best.</summary>
    public ReadOnlySpan<int> Ranks => _ranks;

    /// <summary>Starts over from the seed: the given individuals first, random ones after, all evaluated.</summary>
    /// <param name="seeds">Individuals × variables, inside the bounds; at most one population. May be empty.</param>
    public void Start(ReadOnlySpan<TGene> seeds = default)
    {
        Bounds.RequireInside(seeds, _problem.Lower.Span, _problem.Upper.Span);
        if (seeds.Length > _size * _variableCount)
            throw new ArgumentException($"{seeds.Length / _variableCount} seeds do not fit into a population of {_size}: pass the best of them, or raise Population.");
        _random = new Xoshiro256(_settings.Seed);
        var survival = _survival = NewSurvival();
        seeds.CopyTo(_genes);
        _variation.Sample(_genes.AsSpan(seeds.Length, _size * _variableCount - seeds.Length), _random);
        _evaluator.Evaluate(0, _size);
        survival.Choose(_objectives, Standing(_size), _size, _random);
        survival.Ranks.CopyTo(_ranks);
        survival.Diversity[.._size].CopyTo(_diversity);
        Generation = 0;
        Evaluations = _size;
    }

    /// <summary>One generation.</summary>
    public void Step()
    {
        if (_survival is not { } survival)
            throw new InvalidOperationException("There is no population yet: call Start before Step.");
        DrawParents();
        _variation.Breed(Genes, _parents, _genes.AsSpan(_size * _variableCount), _random);
        _evaluator.Evaluate(_size, _size);
        Evaluations += _size;
        Replace(survival.Choose(_objectives, Standing(2 * _size), _size, _random), survival);
        Generation++;
    }

    /// <summary>From the first population until a limit of the settings is reached.</summary>
    /// <param name="seeds">See <see cref="Start"/>.</param>
    /// <param name="cancel">Looked at between generations.</param>
    /// <exception cref="OperationCanceledException">Cancelled; the population is that of the last whole generation.</exception>
    public EvolutionResult<TGene> Run(ReadOnlySpan<TGene> seeds, CancellationToken cancel)
    {
        var began = _clock.GetTimestamp();
        cancel.ThrowIfCancellationRequested();
        Start(seeds);
        var longest = TimeSpan.Zero;
        EvolutionEnd? end;
        while ((end = Limit(_clock.GetElapsedTime(began) + longest)) is null)
        {
            cancel.ThrowIfCancellationRequested();
            var before = _clock.GetTimestamp();
            Step();
            var took = _clock.GetElapsedTime(before);
            longest = took > longest ? took : longest;
        }
        return new EvolutionResult<TGene>(Front(), Generation, Evaluations, _clock.GetElapsedTime(began), end.Value);
    }

    /// <summary>The population's non-dominated individuals; see <see cref="EvolutionResult{TGene}"/>.</summary>
    public IReadOnlyList<Individual<TGene>> Front()
    {
        var rows = new List<int>();
        for (var row = 0; row < _size; row++)
        {
            if (_ranks[row] == 0)
                rows.Add(row);
        }
        rows.Sort((a, b) => ObjectivesOf(a).SequenceCompareTo(ObjectivesOf(b)) is var order && order != 0 ? order : a.CompareTo(b));
        var front = new List<Individual<TGene>>(rows.Count);
        for (var i = 0; i < rows.Count; i++)
        {
            if (i > 0 && ObjectivesOf(rows[i]).SequenceEqual(ObjectivesOf(rows[i - 1])))
                continue;
            front.Add(new Individual<TGene>(_genes.AsSpan(rows[i] * _variableCount, _variableCount).ToArray(), ObjectivesOf(rows[i]).ToArray(), _violations[rows[i]]));
        }
        return front;
    }

    public void Dispose() => _evaluator.Dispose();

    private ReadOnlySpan<double> ObjectivesOf(int row) => _objectives.AsSpan(row * _objectiveCount, _objectiveCount);

    private Survival NewSurvival() => new(2 * _size, _objectiveCount, _settings.StrategyFor(_objectiveCount) switch
    {
        SurvivalStrategy.ReferencePoints => new ReferencePointSplit(2 * _size, _objectiveCount, ReferencePoints.ForPopulation(_objectiveCount, _size)),
        SurvivalStrategy.Hypervolume => new HypervolumeSplit(2 * _size, _objectiveCount),
        _ => new CrowdingSplit(2 * _size, _objectiveCount),
    });

    private EvolutionEnd? Limit(TimeSpan withOneMore) =>
        Evaluations + _size > _settings.MaxEvaluations ? EvolutionEnd.Evaluations
        : Generation >= _settings.MaxGenerations ? EvolutionEnd.Generations
        : withOneMore >= _settings.Budget ? EvolutionEnd.Budget
        : null;

    /// <summary>
    /// The violations by which survivors are chosen: with copies set back, the k-th copy of a feasible individual has k times the smallest of all
    /// violations. Found by open addressing over the objectives, children first, so that genes may drift where the objectives do not change.
    /// </summary>
    private ReadOnlySpan<double> Standing(int rows)
    {
        if (_byObjectives.Length == 0)
            return _violations.AsSpan(0, rows);
        _byObjectives.AsSpan().Fill(-1);
        for (var row = rows - 1; row >= 0; row--)
        {
            _standing[row] = _violations[row];
            if (_violations[row] > 0)
                continue;
            var objectives = ObjectivesOf(row);
            var hash = 14695981039346656037;
            foreach (var value in objectives)
                hash = (hash ^ BitConverter.DoubleToUInt64Bits(value)) * 1099511628211;
            // Numbers differ in their upper bits, which multiplication has not brought down.
            var place = (int)((hash ^ (hash >> 32)) & (ulong)(_byObjectives.Length - 1));
            while (_byObjectives[place] >= 0 && !ObjectivesOf(_byObjectives[place]).SequenceEqual(objectives))
                place = (place + 1) & (_byObjectives.Length - 1);
            if (_byObjectives[place] >= 0)
            {
                _standing[row] = ++_copies[_byObjectives[place]] * double.Epsilon;
                continue;
            }
            (_byObjectives[place], _copies[row]) = (row, 0);
        }
        return _standing.AsSpan(0, rows);
    }

    /// <summary>Two rounds in which everybody meets one random other: the winners are the parents.</summary>
    private void DrawParents()
    {
        for (var i = 0; i < _size; i++)
            _shuffled[i] = i;
        var drawn = 0;
        for (var round = 0; round < 2; round++)
        {
            _random.Shuffle(_shuffled);
            for (var i = 0; i < _size; i += 2)
                _parents[drawn++] = Winner(_shuffled[i], _shuffled[i + 1]);
        }
    }

    private int Winner(int one, int other)
    {
        if (_ranks[one] != _ranks[other])
            return _ranks[one] < _ranks[other] ? one : other;
        if (_diversity[one] != _diversity[other])
            return _diversity[one] > _diversity[other] ? one : other;
        return (_random.NextBits() >> 63) == 0 ? one : other;
    }

    /// <summary>Moves surviving children into the places of parents that do not survive.</summary>
    private void Replace(ReadOnlySpan<int> survivors, Survival survival)
    {
        _survives.AsSpan().Clear();
        foreach (var row in survivors)
            _survives[row] = true;
        var child = _size;
        for (var row = 0; row < _size; row++)
        {
            var from = row;
            if (!_survives[row])
            {
                while (!_survives[child])
                    child++;
                from = child++;
                _genes.AsSpan(from * _variableCount, _variableCount).CopyTo(_genes.AsSpan(row * _variableCount));
                ObjectivesOf(from).CopyTo(_objectives.AsSpan(row * _objectiveCount));
                _violations[row] = _violations[from];
            }
            _ranks[row] = survival.Ranks[from];
            _diversity[row] = survival.Diversity[from];
        }
    }
}
