namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Evenly spread directions on the unit simplex, for <see cref="ReferencePointSplit"/>: the lattice of Das and Dennis ("Normal-boundary
/// intersection", SIAM J. Optim. 8(3), 1998), from M objectives and p divisions C(p + M − 1, p) points. Where p would be below M all points of
/// one lattice lie on the simplex's rim, so two are used, the inner one shrunk to half (Deb and Jain, IEEE TEC 18(4), 2014).
/// </summary>
public static class ReferencePoints
{
    /// <summary>The finest set that is no larger than a population.</summary>
    /// <returns>Points × objectives; each point sums to 1.</returns>
    public static double[] ForPopulation(int objectiveCount, int population)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(objectiveCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(population, 1);
        if (objectiveCount == 1)
            return [1];
        var divisions = 0;
        while (Count(objectiveCount, divisions + 1) <= population)
            divisions++;
        if (divisions >= objectiveCount)
            return Lattice(objectiveCount, divisions);

        var outer = 1;
        while (Count(objectiveCount, outer + 1) + Count(objectiveCount, outer) <= population)
            outer++;
        var rim = Lattice(objectiveCount, outer);
        var inner = Lattice(objectiveCount, outer - 1);
        for (var i = 0; i < inner.Length; i++)
            inner[i] = inner[i] / 2 + 0.5 / objectiveCount;
        return [.. rim, .. inner];
    }

    /// <summary>All points whose coordinates are multiples of 1 / <paramref name="divisions"/> and sum to 1; with 0 divisions the centre.</summary>
    /// <returns>Points × objectives.</returns>
    public static double[] Lattice(int objectiveCount, int divisions)
    {
        if (divisions == 0)
        {
            var centre = new double[objectiveCount];
            centre.AsSpan().Fill(1.0 / objectiveCount);
            return centre;
        }
        var points = new double[Count(objectiveCount, divisions) * objectiveCount];
        var parts = new int[objectiveCount];
        var at = 0;
        Fill(parts, 0, divisions, divisions, points, ref at);
        return points;
    }

    /// <summary>C(divisions + M − 1, divisions); capped at <see cref="int.MaxValue"/>.</summary>
    private static int Count(int objectiveCount, int divisions)
    {
        var count = 1L;
        for (var i = 1; i < objectiveCount && count < int.MaxValue; i++)
            count = count * (divisions + i) / i;
        return (int)Math.Min(count, int.MaxValue);
    }

    private static void Fill(int[] parts, int objective, int left, int divisions, double[] points, ref int at)
    {
        if (objective == parts.Length - 1)
        {
            parts[objective] = left;
            foreach (var part in parts)
                points[at++] = (double)part / divisions;
            return;
        }
        for (var part = 0; part <= left; part++)
        {
            parts[objective] = part;
            Fill(parts, objective + 1, left - part, divisions, points, ref at);
        }
    }
}
