using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Placements built slot by slot, each slot on the best candidate that has room. Order and measure of "best" make the known heuristics: with
/// run time as the measure, shortest task first is min-min (Ibarra and Kim, "Heuristic algorithms for scheduling independent tasks on
/// nonidentical processors", J. ACM 24(2), 1977; placed at once, completion is run time) and earliest deadline first is by deadline; the fullest
/// device that still fits is best fit. Cost of one: O(slots × candidates).
/// </summary>
internal sealed class PlacementSeeds(PlacementModel model)
{
    private const int Nowhere = -1;

    private readonly PlacementState _state = new(model);
    private readonly double[] _scores = new double[model.Candidates.Length];
    private readonly int[] _order = new int[model.SlotCount];
    private readonly double[] _keys = new double[model.SlotCount];

    /// <summary>
    /// Places slots in order of service by best fit; one that finds no room is helped by moving one other slot elsewhere. So an earlier slot never
    /// goes without because of a later one, unless more than one move would be needed.
    /// </summary>
    /// <returns>Per slot a candidate, or −1.</returns>
    public int[] InOrderOfService(ReadOnlySpan<int> start)
    {
        _state.Clear();
        for (var slot = 0; slot < start.Length; slot++)
        {
            if (start[slot] >= 0)
                _state.Move(slot, start[slot]);
        }
        // A class of which one slot found no room finds none later either: what comes after only takes room.
        var hopeless = new HashSet<int>();
        for (var slot = 0; slot < model.SlotCount; slot++)
        {
            var taskClass = model.SlotClass[slot];
            if (_state.DeviceOf(slot) >= 0 || hopeless.Contains(taskClass))
                continue;
            var found = BestFit(slot, Nowhere);
            if (found >= 0)
                _state.Move(slot, found);
            else if (!SeatByMovingAnother(slot) && !model.Guarded[model.SlotTask[slot]])
                hopeless.Add(taskClass);
        }
        return _state.Chosen.ToArray();
    }

    /// <summary>Best fit in order of service.</summary>
    public int[] BestFit()
    {
        var genes = InOrderOfService([]);
        for (var slot = 0; slot < genes.Length; slot++)
            genes[slot] = Math.Max(0, genes[slot]);
        return genes;
    }

    /// <summary>Each slot where it raises the weighted sum of objectives least.</summary>
    /// <param name="genes">Written; a slot without room gets some candidate all the same, for the repair to mend.</param>
    /// <param name="weights">What counts.</param>
    /// <param name="order">Smaller first, equal ones in order of service; null: order of service.</param>
    public void FillGreedy(Span<int> genes, in Weights weights, Func<int, double>? order)
    {
        for (var at = 0; at < _scores.Length; at++)
            _scores[at] = Vector256.Dot(Vector256.LoadUnsafe(ref model.Table[at * PlacementModel.Figures]), weights.Figures);
        for (var slot = 0; slot < _order.Length; slot++)
            (_order[slot], _keys[slot]) = (slot, order is null ? 0 : order(slot));
        if (order is not null)
            SortByKey();
        _state.Clear();
        foreach (var slot in _order)
        {
            var found = Best(slot, weights);
            if (found >= 0)
                _state.Move(slot, found);
        }
        for (var slot = 0; slot < genes.Length; slot++)
            genes[slot] = Math.Max(0, _state.Chosen[slot]);
    }

    /// <summary>What a slot loses, by the weights, when it gets a middling candidate instead of its best: those with most to lose choose first.</summary>
    public Func<int, double> ByRegret(Weights weights)
    {
        var regrets = new double[model.ClassStart.Length - 1];
        for (var taskClass = 0; taskClass < regrets.Length; taskClass++)
        {
            var (least, sum) = (double.PositiveInfinity, 0.0);
            var (from, to) = (model.ClassStart[taskClass], model.ClassStart[taskClass + 1]);
            for (var at = from; at < to; at++)
            {
                var cost = Vector256.Dot(Vector256.LoadUnsafe(ref model.Table[at * PlacementModel.Figures]), weights.Figures);
                (least, sum) = (Math.Min(least, cost), sum + cost);
            }
            regrets[taskClass] = to > from ? least - sum / (to - from) : 0;
        }
        return slot => regrets[model.SlotClass[slot]];
    }

    private void SortByKey()
    {
        _keys.AsSpan().Sort(_order);
        // The library's sort is not stable.
        for (var start = 0; start < _keys.Length;)
        {
            var end = start + 1;
            while (end < _keys.Length && _keys[end] == _keys[start])
                end++;
            _order.AsSpan(start, end - start).Sort();
            start = end;
        }
    }

    private int Best(int slot, in Weights weights)
    {
        var taskClass = model.SlotClass[slot];
        var start = model.ClassStart[taskClass];
        var (best, least, bestRepeats) = (Nowhere, double.PositiveInfinity, true);
        for (var candidate = 0; candidate < model.CandidateCount(slot); candidate++)
        {
            var cost = _scores[start + candidate];
            // Imbalance is no negative figure, so what is too much without it needs no second look.
            if (cost >= least && !bestRepeats)
                continue;
            var device = model.Candidates[start + candidate];
            if (weights.Imbalance != 0)
                cost += weights.Imbalance * _state.VarianceWith(device, taskClass);
            if (!Preferable(slot, device, cost, least, bestRepeats, out var repeats))
                continue;
            (best, least, bestRepeats) = (candidate, cost, repeats);
        }
        return best;
    }

    private int BestFit(int slot, int butNot)
    {
        var taskClass = model.SlotClass[slot];
        var start = model.ClassStart[taskClass];
        var (best, least, bestRepeats) = (Nowhere, double.PositiveInfinity, true);
        for (var candidate = 0; candidate < model.CandidateCount(slot); candidate++)
        {
            var device = model.Candidates[start + candidate];
            if (device != butNot && Preferable(slot, device, -_state.UtilisationWith(device, taskClass), least, bestRepeats, out var repeats))
                (best, least, bestRepeats) = (candidate, -_state.UtilisationWith(device, taskClass), repeats);
        }
        return best;
    }

    /// <summary>Whether a device may take the slot and is better than the best so far; one that repeats an owner is worse than any that does not.</summary>
    private bool Preferable(int slot, int device, double cost, double least, bool bestRepeats, out bool repeats)
    {
        repeats = false;
        if (cost >= least && !bestRepeats)
            return false;
        if (!_state.Fits(model.SlotClass[slot], device))
            return false;
        if (!model.Guarded[model.SlotTask[slot]])
            return cost < least;
        if (_state.Conflicts(slot, device))
            return false;
        repeats = _state.WouldRepeat(slot, device);
        return repeats == bestRepeats ? cost < least : !repeats;
    }

    private bool SeatByMovingAnother(int slot)
    {
        var taskClass = model.SlotClass[slot];
        for (var other = 0; other < model.SlotCount; other++)
        {
            var device = _state.DeviceOf(other);
            if (device < 0 || model.SlotTask[other] == model.SlotTask[slot] || !_state.FitsInstead(taskClass, model.SlotClass[other], device))
                continue;
            var candidate = model.CandidateOf(taskClass, device);
            if (candidate < 0 || _state.Conflicts(slot, device))
                continue;
            var elsewhere = BestFit(other, device);
            if (elsewhere < 0)
                continue;
            _state.Move(other, elsewhere);
            _state.Move(slot, candidate);
            return true;
        }
        return false;
    }
}
