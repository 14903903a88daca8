using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Search;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class PlacementStateTests
{
    private static readonly Weights Even = new(Vector256.Create(1e-4, 1e-5, 1e-6, 0.1), 10);

    /// <summary>A random problem whose slots all have a candidate, and a random placement of them.</summary>
    private static (PlacementModel Model, int[] Genes)? Case(int seed)
    {
        var model = PlacementModel.Of(Pool.Random(seed), [], 400);
        model = model.With([.. Enumerable.Range(0, model.SlotCount).Where(slot => model.CandidateCount(slot) > 0)]);
        var random = new Random(seed);
        return model.SlotCount == 0 ? null : (model, [.. Enumerable.Range(0, model.SlotCount).Select(slot => random.Next(model.CandidateCount(slot)))]);
    }

    /// <summary>The slots of a random problem that fit together, and a placement of them that breaks no rule.</summary>
    private static (PlacementModel Model, int[] Genes)? Feasible(int seed)
    {
        var model = PlacementModel.Of(Pool.Random(seed), [], 400);
        var chosen = new PlacementSeeds(model).InOrderOfService([]);
        var placed = Enumerable.Range(0, chosen.Length).Where(slot => chosen[slot] >= 0).ToArray();
        return placed.Length == 0 ? null : (model.With(placed), [.. placed.Select(slot => chosen[slot])]);
    }

    private static double[] Measure(PlacementState state)
    {
        var objectives = new double[PlacementState.Objectives];
        state.Measure(objectives);
        return objectives;
    }

    [Test]
    public void Moving_slots_one_by_one_measures_what_measuring_the_whole_does()
    {
        for (var seed = 0; seed < 400; seed++)
        {
            if (Case(seed) is not var (model, genes))
                continue;
            var (moved, loaded) = (new PlacementState(model), new PlacementState(model));
            loaded.Load(genes);
            var random = new Random(seed);
            // There by detours.
            for (var i = 0; i < 100; i++)
            {
                var slot = random.Next(model.SlotCount);
                moved.Move(slot, random.Next(-1, model.CandidateCount(slot)));
            }
            for (var slot = 0; slot < genes.Length; slot++)
                moved.Move(slot, genes[slot]);
            Assert.That(Pool.NoWorse(Measure(moved), Measure(loaded)) && Pool.NoWorse(Measure(loaded), Measure(moved)), Is.True, $"seed {seed}");
            Assert.That(moved.Repeats, Is.EqualTo(loaded.Repeats), $"seed {seed}");
        }
    }

    [Test]
    public void The_foreseen_cost_of_seating_is_the_cost_of_having_seated()
    {
        for (var seed = 0; seed < 100; seed++)
        {
            if (Case(seed) is not var (model, genes))
                continue;
            var state = new PlacementState(model);
            state.Load(genes);
            for (var slot = 0; slot < genes.Length; slot++)
            {
                state.Move(slot, -1);
                var without = Vector256.Dot(Vector256.Create(Measure(state)[..4]) * model.SlotCount, Even.Figures);
                var foreseen = state.CostOfSeating(slot, genes[slot], Even);
                state.Move(slot, genes[slot]);
                Assert.That(foreseen, Is.EqualTo(state.Sum(Even) - without).Within(1e-9 * Math.Max(1, state.Sum(Even))));
            }
        }
    }

    [Test]
    public void Mending_depends_on_the_placement_alone()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            if (Case(seed) is not var (model, genes))
                continue;
            var (fresh, used) = (new PlacementState(model), new PlacementState(model));
            used.Load([.. genes.Select((g, slot) => (g + 1) % model.CandidateCount(slot))]);
            var (one, other) = (genes.ToArray(), genes.ToArray());
            fresh.Load(one);
            used.Load(other);
            Assert.That(one, Is.EqualTo(other), $"seed {seed}");
            Assert.That(Measure(fresh), Is.EqualTo(Measure(used)), $"seed {seed}");
        }
    }

    [Test]
    public void Mending_seats_all_of_an_unruly_placement_where_there_is_room_and_leaves_a_right_one_right()
    {
        var (mended, unruly) = (0, 0);
        for (var seed = 0; seed < 300; seed++)
        {
            if (Feasible(seed) is not var (model, genes))
                continue;
            var state = new PlacementState(model);
            state.Load(genes);
            Assert.That(state.Unsettled, Is.Zero, $"seed {seed}");
            var crowded = new int[genes.Length];
            state.Load(crowded);
            unruly++;
            mended += state.Unsettled == 0 ? 1 : 0;
        }
        Assert.That(mended, Is.GreaterThan(unruly * 0.7), $"of {unruly} in which everybody wanted the fastest device");
    }

    [Test]
    public void Improvement_lowers_the_sum_and_breaks_no_rule()
    {
        var improved = 0;
        for (var seed = 0; seed < 300; seed++)
        {
            if (Feasible(seed) is not var (model, genes))
                continue;
            var state = new PlacementState(model);
            state.Load(genes);
            var (before, repeats) = (state.Sum(Even), state.Repeats);
            var random = (ulong)seed;
            var helped = new LocalImprovement(model, state).Some(50, 200, Even, ref random);
            Assert.That(state.Sum(Even), helped ? Is.LessThan(before) : Is.EqualTo(before).Within(1e-9).Percent);
            Assert.That(state.Repeats, Is.LessThanOrEqualTo(repeats));
            var chosen = state.Chosen.ToArray();
            var mended = chosen.ToArray();
            state.Load(mended);
            Assert.That(state.Unsettled, Is.Zero, $"seed {seed}");
            improved += helped ? 1 : 0;
        }
        Assert.That(improved, Is.GreaterThan(30), "most pools are too full to change anything");
    }

    [Test]
    public void Loading_and_improving_allocate_nothing()
    {
        var model = PlacementModel.Of(Pool.Mixed(60, 12, 1), [], 400);
        var state = new PlacementState(model);
        var improvement = new LocalImprovement(model, state);
        var genes = new int[model.SlotCount];
        var random = 1UL;
        long Once()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            genes.AsSpan().Clear();
            state.Load(genes);
            improvement.Some(50, 50, Even, ref random);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Once();
        Assert.That(Once(), Is.Zero);
    }
}
