using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// What the tasks of a pass want, each by the plan it bought: a sum over slots in which every slot weighs its own figures, and the imbalance, which is nobody's own,
/// weighs the mean of what they want. The mean of all wishes applied to the mean of all figures would not do: it lets one task's wish for even load
/// put a task with a deadline on a slow device.
/// </summary>
internal sealed class PlacementWishes
{
    /// <summary>What the objectives weigh that a task does not wish for: among equals the better.</summary>
    private const double Aside = 1e-3;

    /// <param name="model">What is placed.</param>
    /// <param name="scale">Makes the objectives comparable.</param>
    public PlacementWishes(PlacementModel model, ObjectiveScale scale)
    {
        var factors = new double[(model.ClassStart.Length - 1) * PlacementModel.Figures];
        var imbalance = 0.0;
        foreach (var number in model.SlotTask)
        {
            var raw = scale.Weigh([.. WeightsOf(model.Tasks[number]).Select(weight => weight + Aside)]);
            raw.Figures.CopyTo(factors, model.TaskClass[number] * PlacementModel.Figures);
            imbalance += raw.Imbalance / model.SlotCount;
        }
        var weighted = model.Weighted(factors);
        Weights = new Weights(Vector256<double>.One, imbalance);
        State = new PlacementState(weighted);
        Improvement = new LocalImprovement(weighted, State);
    }

    /// <summary>What counts in <see cref="State"/>: its figures are weighed already.</summary>
    public Weights Weights { get; }

    public PlacementState State { get; }

    public LocalImprovement Improvement { get; }

    /// <summary>
    /// What each objective weighs for a task: its plan, and for one with a deadline the risk as much as the plan and the finish as much again. The risk alone
    /// is not enough: measured, it leaves tasks whose run takes longer than expected on slow devices.
    /// </summary>
    public static double[] WeightsOf(PlacementTask task)
    {
        var weights = PlacementFront.WeightsOf(task.Plan);
        if (task.Deadline is null)
            return weights;
        var (safe, fast) = (PlacementFront.WeightsOf(PlanKind.Safe), PlacementFront.WeightsOf(PlanKind.Fast));
        return [.. weights.Select((weight, m) => weight + safe[m] + fast[m])];
    }

    /// <summary>How far a feasible placement is from the wishes: less is better.</summary>
    public double Of(int[] genes)
    {
        State.Load([.. genes]);
        return State.Sum(Weights);
    }
}
