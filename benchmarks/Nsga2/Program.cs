using System.Text.Json;
using FogCompute.Nsga2;

// ./dev bench nsga2 [speed|quality|selection]: without a word the first two, which have aims. The last line of output is one JSON object with the figures and "pass".
var what = args.Length == 0 ? "all" : args[0];
if (what is not ("all" or "speed" or "quality" or "selection"))
{
    Console.Error.WriteLine($"There is no part '{what}' of this benchmark. Use: speed, quality, selection, or nothing for the first two.");
    return 2;
}

var speed = new List<SpeedRow>();
if (what is "all" or "speed")
{
    using var peer = await Peer.StartAsync(Path.Combine(AppContext.BaseDirectory, "peer", "bin"));
    Console.WriteLine("Speed: milliseconds per generation, one thread, medians; peer: pagmo2 nsga2 (C++)");
    Console.WriteLine("problem  selection        population x generations   ours     peer     ratio   aim    hypervolume: ours  peer");
    foreach (var row in Speed.Measure(peer))
    {
        speed.Add(row);
        Console.WriteLine(
            $"{row.Problem,-8} {row.Selection,-15} {row.Population,11} x {row.Generations,-11} {row.OurMilliseconds,8:F3} {row.PeerMilliseconds,8:F3} {row.Ratio,8:F1} {row.Aim,6:F1} {row.OurHypervolume,17:F4} {row.PeerHypervolume,7:F4}  {Verdict(row.Pass)}");
    }
    Console.WriteLine();
}

var quality = new List<QualityRow>();
if (what is "all" or "quality")
{
    Console.WriteLine("Quality: 31 seeds, population 100, 25 000 evaluations, medians; reference: medians of a reference library");
    Console.WriteLine("problem  selection         hypervolume [quartiles]        reference  floor     IGD     reference");
    foreach (var row in Quality.Measure())
    {
        quality.Add(row);
        Console.WriteLine(
            $"{row.Problem,-8} {row.Selection,-17} {row.Hypervolume,8:F4}  [{row.LowerQuartile:F4} {row.UpperQuartile:F4}] {row.ReferenceHypervolume,12:F4} {row.Floor,9:F4} {row.Igd,9:F4} {row.ReferenceIgd,9:F4}  {Verdict(row.Pass)}");
    }
    Console.WriteLine();
}

var selections = new List<SelectionRow>();
if (what == "selection")
{
    Console.WriteLine("Selection on DTLZ2: population 100, 25 000 evaluations, medians");
    Console.WriteLine("objectives  selection         seeds  hypervolume  ms per generation");
    foreach (var row in Selections.Measure())
    {
        selections.Add(row);
        Console.WriteLine($"{row.Objectives,10}  {row.Selection,-17} {row.Seeds,5} {row.Hypervolume,12:F4} {row.Milliseconds,18:F3}");
    }
    Console.WriteLine();
}

var pass = speed.TrueForAll(row => row.Pass) && quality.TrueForAll(row => row.Pass);
Console.WriteLine(JsonSerializer.Serialize(new { benchmark = "nsga2", speed, quality, selections, pass }, JsonSerializerOptions.Web));
return pass ? 0 : 1;

static string Verdict(bool pass) => pass ? "ok" : "MISSED";
