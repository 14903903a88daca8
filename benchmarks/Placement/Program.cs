using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Placement;

// Which device gets which task: the product's engine beside the usual policies, all behind IPlacementEngine, in simulated pools and virtual time.
// Usage: ./dev bench placement [--quick] [--plot FILE] [--sizes DEVICES:SEEDS,...] [--policies NAME,...] [--generations N] [--misses]. Prints a table per size of pool as docs/performance.md takes it, draws the chart, and ends with one JSON line.
// For comparing two versions on a shared machine: --sizes and --policies leave out what is not needed, --generations breeds so many in each search, however long they take,
// and --misses writes to stderr each task that missed its deadline, with its attempts. Such runs judge nothing and draw no chart.

const double ArrivalHours = 1, HorizonHours = 13, Load = 0.8;
// Medians of the pass: decisions are cut at 250 ms by a clock that others share.
const double DecisionLimit = 250 + 50;
// Missed deadlines are a share of few tasks: a tenth of a percentage point is less than one of them in the smaller pools.
const double MissTolerance = 0.1;
// Where generations are counted instead of milliseconds: as good as none.
var unhurried = TimeSpan.FromMinutes(1);

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
var misses = args.Contains("--misses");
var quick = args.Contains("--quick");
// A full run draws the chart of the documentation; a quick one only where it is told.
int? generations = Option("--generations") is { } number ? int.Parse(number) : null;
var partial = generations is not null || Option("--sizes") is not null || Option("--policies") is not null;
var plot = Option("--plot") ?? (quick || partial ? null : Path.Combine("docs", "images", "placement.svg"));
(int Devices, int Seeds)[] plan = Option("--sizes") is { } sized ? [.. sized.Split(',').Select(s => s.Split(':')).Select(s => (int.Parse(s[0]), int.Parse(s[1])))]
    : quick ? [(50, 5), (500, 3), (5_000, 1)] : [(50, 31), (500, 31), (5_000, 5)];
var policies = Policy.Select(Option("--policies")?.Split(','), generations);
var baselines = policies.Where(p => !p.Product && p.Name != Policy.Unseeded).ToList();
var clock = Stopwatch.StartNew();

// The compiler must not be part of the first decisions.
Seed(50, 1_000_000);

var sizes = new List<SizeResult>();
foreach (var (devices, seeds) in plan)
{
    var (trials, tasks) = (new ConcurrentBag<Trial>(), new ConcurrentBag<int>());
    Parallel.For(1, seeds + 1, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, seed =>
    {
        var (found, count) = Seed(devices, (ulong)seed);
        tasks.Add(count);
        foreach (var trial in found)
            trials.Add(trial);
    });
    sizes.Add(new SizeResult(devices, seeds, (int)tasks.Average(), [.. trials]));
    Console.WriteLine(Table(sizes[^1]));
    Console.Error.WriteLine($"{devices} devices, {seeds} seeds: done after {clock.Elapsed.TotalSeconds:0} s");
}

if (partial)
    return 0;
var product = policies.Single(p => p.Product);
var verdicts = sizes.Select(Judge).ToList();
foreach (var (size, verdict) in sizes.Zip(verdicts))
{
    Console.WriteLine($"{size.Devices} devices: {(verdict.Pass ? "ok" : "MISSED")}. Misses against {verdict.FewestMisses}, the baseline with fewest: {verdict.MissDifference:+0.00;-0.00;0.00} points (aim ≤ {MissTolerance}). "
        + $"Aggregate {verdict.Aggregate:0.000} against {verdict.BestAggregate:0.000} of {verdict.AggregateRival} (aim: above). Hypervolume by seeds {verdict.SeedGain:+0.000;-0.000;0.000} (aim: above 0). Decision p99 {verdict.DecisionP99:0} ms (aim ≤ {DecisionLimit:0}).");
    foreach (var loss in verdict.Losses)
        Console.WriteLine($"  loses: {loss}");
}
if (plot is not null)
{
    await File.WriteAllTextAsync(plot, Chart.Draw(sizes, policies, $"Median and quartiles over seeds; virtual time, load {Load:P0} of what is present, {ArrivalHours} h of arrivals; {Environment.ProcessorCount} processors."));
    Console.Error.WriteLine($"drew {plot}");
}
var pass = verdicts.TrueForAll(v => v.Pass);
Console.WriteLine(JsonSerializer.Serialize(new
{
    benchmark = "placement", quick, processors = Environment.ProcessorCount, seconds = Math.Round(clock.Elapsed.TotalSeconds), load = Load,
    sizes = sizes.Zip(verdicts, (size, verdict) => new
    {
        devices = size.Devices, seeds = size.Seeds, tasks = size.Tasks,
        policies = policies.ToDictionary(p => p.Name, p => Measure.All.ToDictionary(m => m.Name, m => Quartiles(size.Spread(p.Name, m)))),
        decision_ms = policies.ToDictionary(p => p.Name, p => new { p50 = Math.Round(size.Decisions(p.Name).P50, 2), p99 = Math.Round(size.Decisions(p.Name).P99, 1) }),
        misses_over_best_baseline = Math.Round(verdict.MissDifference, 3), aggregate_ratio = Math.Round(verdict.Aggregate / verdict.BestAggregate, 3), hypervolume_gain_by_seeds = Math.Round(verdict.SeedGain, 4),
        pass = verdict.Pass,
    }),
    pass,
}));
return pass ? 0 : 1;

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

(Trial[] Trials, int Tasks) Seed(int devices, ulong seed)
{
    var start = Pool.PastHours + Draw.For(seed, 4).Below(168);
    var pool = Pool.Generate(devices, seed, start, HorizonHours);
    var jobs = Workload.Generate(pool, seed, start, ArrivalHours * 3600, Load);
    // Windows as one baseline meets them, since each policy would make others: the two with most slots.
    var windows = new List<PlacementProblem>();
    var outcomes = policies.Select(p => new Simulation(pool, jobs, p.Create(seed), seed, start, HorizonHours, p.Name == "weighted_score" ? windows.Add : null, generations is null ? null : unhurried, misses ? line => Console.Error.WriteLine($"{devices} {seed} {p.Name}: {line}") : null).Run()).ToList();
    var volumes = Fronts.Measure([.. windows.OrderByDescending(w => w.Tasks.Sum(t => t.Slots)).Take(2)], [.. policies.Select(p => p.Create(seed))]);
    return (Trial.WithAggregates([.. policies.Select((p, i) => new Trial(p.Name, seed, outcomes[i], volumes[i]))]), jobs.Sum(j => j.Tasks));
}

string Table(SizeResult size)
{
    var text = new StringBuilder();
    text.AppendLine(CultureInfo.InvariantCulture, $"{size.Devices} devices, about {size.Tasks} tasks, {size.Seeds} seeds: median [quartiles]").AppendLine();
    text.AppendLine($"| policy | {string.Join(" | ", Measure.All.Select(m => m.Label))} | decision p50 / p99, ms |");
    text.AppendLine($"|---|{string.Concat(Measure.All.Select(_ => "---:|"))}---:|");
    foreach (var policy in policies)
    {
        var (p50, p99) = size.Decisions(policy.Name);
        text.AppendLine(CultureInfo.InvariantCulture, $"| {(policy.Product ? $"**{policy.Label}**" : policy.Label)} | {string.Join(" | ", Measure.All.Select(m => Cell(size.Spread(policy.Name, m), m)))} | {p50:0.0} / {p99:0} |");
    }
    return text.ToString();
}

static string Cell(Spread spread, Measure measure) => $"{measure.Text(spread.Median)} [{measure.Text(spread.Low)} {measure.Text(spread.High)}]";

static double[] Quartiles(Spread spread) => [Math.Round(spread.Low, 4), Math.Round(spread.Median, 4), Math.Round(spread.High, 4)];

Verdict Judge(SizeResult size)
{
    var fewest = baselines.MinBy(p => (size.Of(p.Name).Average(t => t.Outcome.Misses), -size.Spread(p.Name, Measure.Aggregate).Median))!;
    var difference = size.MedianDifference(product.Name, fewest.Name, Measure.Misses);
    var rival = baselines.MaxBy(p => size.Spread(p.Name, Measure.Aggregate).Median)!;
    var (ours, theirs) = (size.Spread(product.Name, Measure.Aggregate).Median, size.Spread(rival.Name, Measure.Aggregate).Median);
    var gain = policies.Any(p => p.Name == Policy.Unseeded) ? size.MedianDifference(product.Name, Policy.Unseeded, Measure.Volume) : double.NaN;
    var p99 = size.Decisions(product.Name).P99;
    var losses = Measure.All
        .Select(m => (Measure: m, Own: size.Spread(product.Name, m).Median, Better: policies.Where(p => p != product && IsBetter(m, size.Spread(p.Name, m).Median, size.Spread(product.Name, m).Median)).ToList()))
        .Where(x => x.Better.Count > 0)
        .Select(x => $"{x.Measure.Label} {x.Measure.Text(x.Own)} against {string.Join(", ", x.Better.Select(p => $"{x.Measure.Text(size.Spread(p.Name, x.Measure).Median)} ({p.Label})"))}");
    return new Verdict(fewest.Label, difference, ours, theirs, rival.Label, gain, p99, [.. losses], difference <= MissTolerance && ours > theirs && gain > 0 && p99 <= DecisionLimit);
}

// Better by more than rounding shows.
static bool IsBetter(Measure measure, double one, double other) => measure.Text(one) != measure.Text(other) && (measure.Higher ? one > other : one < other);
