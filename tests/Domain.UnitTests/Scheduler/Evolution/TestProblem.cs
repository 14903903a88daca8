using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

/// <summary>
/// Problems whose true fronts are known, and the protocol by which fronts are compared on them. Sources: Zitzler, Deb, Thiele, "Comparison of
/// multiobjective evolutionary algorithms: empirical results", Evol. Comput. 8(2), 2000 (ZDT); Deb, Thiele, Laumanns, Zitzler, "Scalable
/// multi-objective optimization test problems", CEC 2002 (DTLZ). Compiled into benchmarks/Nsga2 too; not part of the product.
/// </summary>
internal sealed class TestProblem : IEvolutionProblem<double>
{
    private readonly Evaluation _evaluate;
    private readonly double[] _lower;
    private readonly double[] _upper;

    private TestProblem(string name, int variables, double[] ideal, double[] nadir, Evaluation evaluate)
    {
        (Name, Ideal, Nadir, _evaluate) = (name, ideal, nadir, evaluate);
        _lower = new double[variables];
        _upper = new double[variables];
        _upper.AsSpan().Fill(1);
    }

    private delegate void Evaluation(ReadOnlySpan<double> x, Span<double> f);

    public static TestProblem Zdt1 => new("ZDT1", 30, [0, 0], [1, 1], (x, f) =>
    {
        var g = 1 + 9 * Sum(x[1..]) / (x.Length - 1);
        (f[0], f[1]) = (x[0], g * (1 - Math.Sqrt(x[0] / g)));
    });

    public static TestProblem Zdt2 => new("ZDT2", 30, [0, 0], [1, 1], (x, f) =>
    {
        var g = 1 + 9 * Sum(x[1..]) / (x.Length - 1);
        (f[0], f[1]) = (x[0], g * (1 - x[0] / g * (x[0] / g)));
    });

    public static TestProblem Zdt3 => new("ZDT3", 30, [0, -0.7733690123], [0.8518328655, 1], (x, f) =>
    {
        var g = 1 + 9 * Sum(x[1..]) / (x.Length - 1);
        var ratio = x[0] / g;
        (f[0], f[1]) = (x[0], g * (1 - Math.Sqrt(ratio) - ratio * Math.Sin(10 * Math.PI * x[0])));
    });

    public static TestProblem Zdt4
    {
        get
        {
            var problem = new TestProblem("ZDT4", 10, [0, 0], [1, 1], (x, f) =>
            {
                var g = 1 + 10.0 * (x.Length - 1);
                foreach (var value in x[1..])
                    g += value * value - 10 * Math.Cos(4 * Math.PI * value);
                (f[0], f[1]) = (x[0], g * (1 - Math.Sqrt(x[0] / g)));
            });
            problem._lower.AsSpan(1).Fill(-5);
            problem._upper.AsSpan(1).Fill(5);
            return problem;
        }
    }

    public static TestProblem Zdt6 => new("ZDT6", 10, [0.2807753191, 0], [1, 1 - 0.2807753191 * 0.2807753191], (x, f) =>
    {
        var first = 1 - Math.Exp(-4 * x[0]) * Math.Pow(Math.Sin(6 * Math.PI * x[0]), 6);
        var g = 1 + 9 * Math.Pow(Sum(x[1..]) / (x.Length - 1), 0.25);
        (f[0], f[1]) = (first, g * (1 - first / g * (first / g)));
    });

    /// <summary>All problems of the protocol.</summary>
    public static IReadOnlyList<TestProblem> All => [Zdt1, Zdt2, Zdt3, Zdt4, Zdt6, Dtlz2(3)];

    public string Name { get; }

    public double[] Ideal { get; }

    public double[] Nadir { get; }

    public int ObjectiveCount => Ideal.Length;

    public ReadOnlyMemory<double> Lower => _lower;

    public ReadOnlyMemory<double> Upper => _upper;

    /// <summary>The front is the part of the unit sphere with no negative coordinate; ten distance variables.</summary>
    public static TestProblem Dtlz2(int objectives)
    {
        var nadir = new double[objectives];
        nadir.AsSpan().Fill(1);
        return new TestProblem("DTLZ2", objectives + 9, new double[objectives], nadir, (x, f) =>
        {
            var radius = 1.0;
            foreach (var value in x[(f.Length - 1)..])
                radius += (value - 0.5) * (value - 0.5);
            for (var m = f.Length - 1; m > 0; m--)
            {
                var (sine, cosine) = Math.SinCos(x[f.Length - 1 - m] * (Math.PI / 2));
                f[m] = radius * sine;
                radius *= cosine;
            }
            f[0] = radius;
        });
    }

    public void Evaluate(ReadOnlySpan<double> vectors, Span<double> objectives, Span<double> violations)
    {
        for (var row = 0; row < violations.Length; row++)
            _evaluate(vectors.Slice(row * _lower.Length, _lower.Length), objectives.Slice(row * ObjectiveCount, ObjectiveCount));
    }

    /// <summary>Hypervolume with the true front's ideal and nadir at 0 and 1, up to the point (1, …, 1).</summary>
    public double Hypervolume(ReadOnlySpan<double> objectives)
    {
        var scaled = new double[objectives.Length];
        for (var i = 0; i < scaled.Length; i++)
        {
            var m = i % ObjectiveCount;
            scaled[i] = (objectives[i] - Ideal[m]) / (Nadir[m] - Ideal[m]);
        }
        var reference = new double[ObjectiveCount];
        reference.AsSpan().Fill(1);
        return Domain.Scheduler.Placement.Evolution.Hypervolume.Of(scaled, reference);
    }

    /// <summary>Inverted generational distance: mean distance from a point of the true front to the nearest individual, unscaled.</summary>
    public double Igd(ReadOnlySpan<double> objectives)
    {
        var front = TrueFront();
        var total = 0.0;
        for (var at = 0; at < front.Length; at += ObjectiveCount)
        {
            var nearest = double.PositiveInfinity;
            for (var other = 0; other < objectives.Length; other += ObjectiveCount)
            {
                var squares = 0.0;
                for (var m = 0; m < ObjectiveCount; m++)
                    squares += (front[at + m] - objectives[other + m]) * (front[at + m] - objectives[other + m]);
                nearest = Math.Min(nearest, squares);
            }
            total += Math.Sqrt(nearest);
        }
        return total / (front.Length / ObjectiveCount);
    }

    /// <summary>Points spread evenly over the true front: points × objectives.</summary>
    public double[] TrueFront()
    {
        if (Name == "DTLZ2")
        {
            var sphere = ReferencePoints.Lattice(ObjectiveCount, ObjectiveCount == 3 ? 40 : 12);
            for (var at = 0; at < sphere.Length; at += ObjectiveCount)
            {
                var length = Math.Sqrt(Sum(Squares(sphere.AsSpan(at, ObjectiveCount))));
                for (var m = 0; m < ObjectiveCount; m++)
                    sphere[at + m] /= length;
            }
            return sphere;
        }
        const int Steps = 1000;
        var points = new List<double>();
        var lowest = double.PositiveInfinity;
        var x = new double[_lower.Length];
        var f = new double[2];
        for (var step = 0; step <= Steps; step++)
        {
            x[0] = (double)step / Steps;
            if (Name == "ZDT6")
            {
                // In steps of the first objective itself.
                f[0] = Ideal[0] + (1 - Ideal[0]) * x[0];
                f[1] = 1 - f[0] * f[0];
            }
            else
            {
                _evaluate(x, f);
            }
            // What is dominated (the gaps of ZDT3) is not of the front.
            if (f[1] >= lowest)
                continue;
            lowest = f[1];
            points.AddRange(f);
        }
        return [.. points];
    }

    private static double[] Squares(ReadOnlySpan<double> values)
    {
        var squares = new double[values.Length];
        for (var i = 0; i < values.Length; i++)
            squares[i] = values[i] * values[i];
        return squares;
    }

    private static double Sum(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += value;
        return sum;
    }
}
