namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Chooses who lives on: whole fronts while they fit, then part of the next one by a <see cref="IFrontSplit"/>. This is the part common to
/// NSGA-II, NSGA-III and hypervolume-based selection.
/// </summary>
internal sealed class Survival(int capacity, int objectiveCount, IFrontSplit split)
{
    private readonly NonDominatedSort _sort = new(capacity, objectiveCount);
    private readonly double[] _diversity = new double[capacity];

    /// <summary>Front of each row of the last choice.</summary>
    public ReadOnlySpan<int> Ranks => _sort.Ranks;

    /// <summary>How welcome each surviving row is among others of its front; larger is better.</summary>
    public ReadOnlySpan<double> Diversity => _diversity;

    /// <param name="objectives">Rows × objectives.</param>
    /// <param name="violations">Per row.</param>
    /// <param name="room">How many live on.</param>
    /// <param name="random">For strategies that leave something to chance.</param>
    /// <returns>Their rows.</returns>
    public ReadOnlySpan<int> Choose(double[] objectives, ReadOnlySpan<double> violations, int room, Xoshiro256 random)
    {
        _sort.Sort(objectives, violations);
        var wholeFronts = 0;
        while (wholeFronts < _sort.FrontCount && _sort.Starts[wholeFronts + 1] <= room)
            wholeFronts++;
        split.Split(_sort, objectives, wholeFronts, room - _sort.Starts[wholeFronts], _diversity, random);
        return _sort.Order[..room];
    }
}

/// <summary>A strategy for the front that does not fit whole.</summary>
internal interface IFrontSplit
{
    /// <summary>
    /// Moves those rows of front <paramref name="wholeFronts"/> that live on to its first <paramref name="room"/> places (none when 0; the front
    /// need not exist then), and writes <paramref name="diversity"/> for every row that lives on, those of whole fronts included.
    /// </summary>
    void Split(NonDominatedSort sort, ReadOnlySpan<double> objectives, int wholeFronts, int room, Span<double> diversity, Xoshiro256 random);
}
