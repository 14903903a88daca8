namespace FogCompute.Node.Transport;

/// <summary>
/// How many rounds of work to queue behind the running attempts, from the exponentially weighted mean of recent run times (weight 1/8). The
/// thresholds to deepen and to shorten the queue differ by a factor of two, so the wish does not flutter with every attempt. Not thread-safe.
/// </summary>
internal sealed class Lookahead
{
    private static readonly double[] DeepenBelow = [0.4, 0.15, 0.05];
    private double _mean = double.PositiveInfinity;

    /// <summary>Rounds, 0–3: none for attempts of a second and more.</summary>
    public int Depth { get; private set; }

    public void Observe(TimeSpan run)
    {
        var seconds = Math.Max(0, run.TotalSeconds);
        _mean = double.IsPositiveInfinity(_mean) ? seconds : _mean + (seconds - _mean) / 8;
        while (Depth < DeepenBelow.Length && _mean < DeepenBelow[Depth])
            Depth++;
        while (Depth > 0 && _mean > 2 * DeepenBelow[Depth - 1])
            Depth--;
    }
}
