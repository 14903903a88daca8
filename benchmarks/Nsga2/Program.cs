using System.Diagnostics;
using FogCompute.Domain.Scheduler.Placement.Evolution;
using FogCompute.Domain.UnitTests.Scheduler.Evolution;

foreach (var problem in TestProblem.All)
foreach (var s in new[]{SurvivalStrategy.Crowding, SurvivalStrategy.ReferencePoints, SurvivalStrategy.Hypervolume})
{
    var hv = new List<double>(); var igd=new List<double>(); var ms=new List<double>();
    for (ulong seed = 1; seed <= 31; seed++)
    {
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Seed = seed, Survival = s }, TimeProvider.System);
        loop.Start();
        var w = Stopwatch.GetTimestamp();
        for (var i = 0; i < 249; i++) loop.Step();
        ms.Add(Stopwatch.GetElapsedTime(w).TotalMilliseconds);
        hv.Add(problem.Hypervolume(loop.Objectives)); igd.Add(problem.Igd(loop.Objectives));
    }
    hv.Sort(); igd.Sort(); ms.Sort();
    Console.WriteLine($"{problem.Name} {s}: hv {hv[15]:F4} [{hv[0]:F4} {hv[30]:F4}] igd {igd[15]:F4} ms {ms[15]:F2} min {ms[0]:F2}");
}
