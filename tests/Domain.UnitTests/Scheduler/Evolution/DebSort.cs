namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

/// <summary>
/// The oracle of the fast sorts: Deb's non-dominated sorting as printed (IEEE TEC 6(2), 2002, section III-A), every pair compared in every
/// objective, O(M N²). Here only.
/// </summary>
internal static class DebSort
{
    public static int[] Ranks(double[] objectives, int objectiveCount, double[] violations)
    {
        var count = violations.Length;
        var dominatedBy = new int[count];
        var dominates = new List<int>[count];
        for (var p = 0; p < count; p++)
        {
            dominates[p] = [];
            for (var q = 0; q < count; q++)
            {
                if (Dominates(p, q, objectives, objectiveCount, violations))
                    dominates[p].Add(q);
                else if (Dominates(q, p, objectives, objectiveCount, violations))
                    dominatedBy[p]++;
            }
        }
        var ranks = new int[count];
        var front = Enumerable.Range(0, count).Where(p => dominatedBy[p] == 0).ToList();
        for (var rank = 0; front.Count > 0; rank++)
        {
            var next = new List<int>();
            foreach (var p in front)
            {
                ranks[p] = rank;
                foreach (var q in dominates[p])
                {
                    if (--dominatedBy[q] == 0)
                        next.Add(q);
                }
            }
            front = next;
        }
        return ranks;
    }

    /// <summary>Constrained domination.</summary>
    public static bool Dominates(int p, int q, double[] objectives, int objectiveCount, double[] violations)
    {
        var (pFeasible, qFeasible) = (violations[p] <= 0, violations[q] <= 0);
        if (!pFeasible || !qFeasible)
            return pFeasible != qFeasible ? pFeasible : violations[p] < violations[q];
        var better = false;
        for (var m = 0; m < objectiveCount; m++)
        {
            var (a, b) = (objectives[p * objectiveCount + m], objectives[q * objectiveCount + m]);
            if (a > b)
                return false;
            better |= a < b;
        }
        return better;
    }
}
