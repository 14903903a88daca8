using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Placement;

/// <summary>An array job. Times in seconds since the start of the simulation.</summary>
/// <param name="Bias">The median task really takes this times the requester's estimate.</param>
internal sealed record SimulatedJob(JobId Id, int Number, double Submitted, int Tasks, Requirements Needs, TierTerms Terms, int Priority, TimeSpan Estimate, double Bias, double? Deadline, TimeSpan WallLimit, double InputMegabytes)
{
    private static PriceTerms PriceOf(TierTerms terms) => ParameterValues.Defaults.PriceOf(terms.Tier);

    public PriceTerms Price { get; } = PriceOf(Terms);

    /// <summary>Micro-credits per hour of one replica: the tier's factor pays for all of them.</summary>
    public double MicroPerHour { get; } = Pricing.Task(Needs.CpuMillicores, Needs.MemoryBytes, PriceOf(Terms), TimeSpan.FromHours(1)) / (double)Terms.Replicas;

    /// <summary>Most that a task is charged.</summary>
    public long Hold { get; } = PriceOf(Terms).Hold(Pricing.Task(Needs.CpuMillicores, Needs.MemoryBytes, PriceOf(Terms), Estimate > WallLimit / 1.1 ? Estimate : WallLimit / 1.1));
}

/// <summary>
/// Array jobs in Poisson bursts whose demand is a stated share of what the pool really offers while they arrive. Sizes and durations are log-normal, as in
/// workload archives of parallel machines (Lublin and Feitelson, "The workload on parallel supercomputers", JPDC 63(11), 2003).
/// </summary>
internal static class Workload
{
    /// <summary>σ of ln(real ÷ estimated) between jobs, and between the tasks of one.</summary>
    public const double JobSpread = 0.35, TaskSpread = 0.35;

    public const int HighestPriority = 80;

    public static SimulatedJob[] Generate(SimulatedDevice[] pool, ulong seed, double start, double seconds, double load)
    {
        var draw = Draw.For(seed, 2);
        var reference = RunModel.ReferenceScore([.. pool.Select(d => d.Known)]);
        // Core seconds of a device of speed 1 that are there while jobs arrive.
        var offered = pool.Sum(d => d.Known.CpuMillicores / 1000.0 * RunModel.Speed(d.Known, reference)
            * d.Stays.Sum(s => Math.Max(0, Math.Min(s.To, start + seconds / 3600) - Math.Max(s.From, start))) * 3600);
        var jobs = new List<SimulatedJob>();
        for (var demand = 0.0; demand < load * offered;)
        {
            var burst = draw.Between(0, seconds);
            do
            {
                var job = Job(draw, pool, jobs.Count, burst + draw.Between(0, 20), offered / seconds);
                demand += job.Tasks * job.Terms.Replicas * job.Needs.CpuMillicores / 1000.0 * job.Estimate.TotalSeconds;
                jobs.Add(job);
            }
            while (draw.Chance(0.5));
        }
        return [.. jobs.OrderBy(j => j.Submitted)];
    }

    private static SimulatedJob Job(Draw draw, SimulatedDevice[] pool, int number, double submitted, double coresOffered)
    {
        var terms = TierTerms.Of(draw.Unit() switch { < 0.60 => SlaTier.Bronze, < 0.85 => SlaTier.Silver, _ => SlaTier.Gold });
        var estimate = TimeSpan.FromSeconds(Math.Clamp(draw.LogNormal(Math.Log(1200), 0.9), 60, 4 * 3600));
        var cores = draw.One(0.5, 1, 1, 2, 4);
        var tasks = (int)Math.Clamp(draw.LogNormal(Math.Log(1 + 1.2 * Math.Sqrt(pool.Length)), 1), 1, 20 + pool.Length);
        var kind = draw.Unit() switch { < 0.6 => "command", < 0.85 => "builtin", _ => "wasm" };
        var needs = new Requirements
        {
            CpuMillicores = (int)(cores * 1000), MemoryBytes = (long)(cores * draw.One(0.25, 0.5, 1, 1.5) * (1L << 30)), PayloadKind = kind, Isolation = kind == "command" ? Isolation.Sandbox : Isolation.Process,
        };
        var narrowed = needs with
        {
            Regions = draw.Chance(0.15) ? [draw.One("eu-central", "us-east", "ap-south")] : [], Labels = draw.Chance(0.1) ? ["avx2"] : [], MinimumTrust = draw.Chance(0.15) ? 0.8 : 0,
        };
        // A job that a handful of machines can run at most would measure their presence, not placement.
        if (pool.Count(d => HardFilter.Static(narrowed, d.Known) is null) >= 12)
            needs = narrowed;
        // An array cannot be done sooner than the pool can work it off.
        var alone = estimate.TotalSeconds + tasks * terms.Replicas * cores * estimate.TotalSeconds / (0.5 * coresOffered);
        var deadline = draw.Between(1.4, 4) * alone + 240;
        return new SimulatedJob(
            new JobId(new Guid(number + 1, 0, 0, new byte[8])), number, submitted, tasks, needs, terms, draw.One(50, 50, 50, 20, HighestPriority), estimate, draw.LogNormal(0, JobSpread),
            draw.Chance(0.6) ? submitted + deadline : null, 5 * estimate, draw.LogNormal(Math.Log(8), 1.2));
    }
}
