using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Lowers a weighted sum of the objectives of the placement held by a state, by single moves and by exchanges of two slots. Never breaks a rule,
/// overfills a device or repeats an owner that did not repeat before. A move costs O(candidates), an exchange O(1).
/// </summary>
internal sealed class LocalImprovement(PlacementModel model, PlacementState state)
{
    /// <summary>A gain below this is rounding: weights are of objectives whose extent is 1.</summary>
    private const double Least = 1e-12;

    /// <summary>Moves a slot to where it costs least, if that is elsewhere.</summary>
    public bool TryMove(int slot, in Weights weights)
    {
        var before = state.Chosen[slot];
        state.Move(slot, -1);
        var (best, least) = (before, state.CostOfSeating(slot, before, weights) - Least);
        var start = model.ClassStart[model.SlotClass[slot]];
        var count = model.CandidateCount(slot);
        for (var candidate = 0; candidate < count; candidate++)
        {
            var cost = state.CostOfSeating(slot, candidate, weights);
            if (cost >= least)
                continue;
            var device = model.Candidates[start + candidate];
            if (!state.Fits(model.SlotClass[slot], device) || state.Conflicts(slot, device) || state.WouldRepeat(slot, device))
                continue;
            (best, least) = (candidate, cost);
        }
        state.Move(slot, best);
        return best != before;
    }

    /// <summary>Lets two slots change places, if both may and the sum falls.</summary>
    public bool TryExchange(int one, int other, in Weights weights)
    {
        var (classOne, classOther) = (model.SlotClass[one], model.SlotClass[other]);
        var (deviceOne, deviceOther) = (state.DeviceOf(one), state.DeviceOf(other));
        if (classOne == classOther || deviceOne == deviceOther)
            return false;
        var toOther = model.CandidateOf(classOne, deviceOther);
        var toOne = model.CandidateOf(classOther, deviceOne);
        if (toOther < 0 || toOne < 0)
            return false;
        var (fromOne, fromOther) = (state.Chosen[one], state.Chosen[other]);
        var change = Row(classOne, toOther) - Row(classOne, fromOne) + Row(classOther, toOne) - Row(classOther, fromOther);
        // An exchange changes the imbalance little, so most that do not pay are seen without it.
        if (Vector256.Dot(change, weights.Figures) >= 0 || !state.FitsInstead(classOne, classOther, deviceOther) || !state.FitsInstead(classOther, classOne, deviceOne))
            return false;
        var (before, repeats) = (state.Sum(weights), state.Repeats);
        state.Move(one, -1);
        state.Move(other, -1);
        if (!state.Conflicts(one, deviceOther))
        {
            state.Move(one, toOther);
            if (!state.Conflicts(other, deviceOne))
            {
                state.Move(other, toOne);
                if (state.Sum(weights) < before - Least && state.Repeats <= repeats)
                    return true;
                state.Move(other, -1);
            }
            state.Move(one, -1);
        }
        state.Move(one, fromOne);
        state.Move(other, fromOther);
        return false;
    }

    /// <summary>Tries so many random moves and exchanges.</summary>
    /// <returns>Whether any of them helped.</returns>
    public bool Some(int moves, int exchanges, in Weights weights, ref ulong random)
    {
        var helped = false;
        for (var i = 0; i < moves; i++)
            helped |= TryMove(Below(ref random), weights);
        for (var i = 0; i < exchanges; i++)
            helped |= TryExchange(Below(ref random), Below(ref random), weights);
        return helped;
    }

    /// <summary>Lets two random slots change places in a placement that is not loaded, if their classes have the devices at all.</summary>
    public void Exchange(Span<int> genes, ref ulong random)
    {
        var (one, other) = (Below(ref random), Below(ref random));
        var (classOne, classOther) = (model.SlotClass[one], model.SlotClass[other]);
        var toOther = model.CandidateOf(classOne, model.Candidates[model.ClassStart[classOther] + genes[other]]);
        var toOne = model.CandidateOf(classOther, model.Candidates[model.ClassStart[classOne] + genes[one]]);
        if (toOther >= 0 && toOne >= 0)
            (genes[one], genes[other]) = (toOther, toOne);
    }

    /// <summary>A slot by chance, from a linear congruential generator (Knuth's MMIX): what matters is that it costs nothing.</summary>
    private int Below(ref ulong random)
    {
        random = random * 6364136223846793005 + 1442695040888963407;
        return (int)((random >> 32) * (ulong)model.SlotCount >> 32);
    }

    private Vector256<double> Row(int taskClass, int candidate) =>
        Vector256.LoadUnsafe(ref model.Table[(model.ClassStart[taskClass] + candidate) * PlacementModel.Figures]);
}
