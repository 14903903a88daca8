namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>One thing that would let a waiting task go ahead.</summary>
/// <param name="Rule">The rule it is about; see <see cref="Refusals"/>, or the typed reason of an unavailable device.</param>
/// <param name="Devices">How many refused devices would do then.</param>
/// <param name="Limit">The most that could be asked for instead: millicores, bytes or GPUs, by rule; null where a rule knows no amount.</param>
public readonly record struct Relaxation(string Rule, int Devices, long? Limit);

/// <summary>
/// Finds what stands between a task and the devices: the rules that alone keep devices from it. A device that breaks two rules needs two
/// changes, so it is counted under neither.
/// </summary>
public static class WhatWouldChange
{
    /// <param name="needs">What a task asks.</param>
    /// <param name="devices">The pool.</param>
    /// <param name="missing">How many more devices the tier needs, 1 or more.</param>
    /// <returns>Per rule, most devices first. An amount is chosen so that as many of the <paramref name="missing"/> as possible come with the smallest concession.</returns>
    public static IReadOnlyList<Relaxation> Find(Requirements needs, IReadOnlyList<PlacementDevice> devices, int missing)
    {
        var byRule = new Dictionary<string, List<PlacementDevice>>(StringComparer.Ordinal);
        foreach (var device in devices)
        {
            if (HardFilter.Static(needs, device) is not { } rule || HardFilter.Static(Without(rule, needs, device), Available(rule, device)) is not null)
                continue;
            if (!byRule.TryGetValue(rule, out var alone))
                byRule[rule] = alone = [];
            alone.Add(device);
        }
        return [.. byRule.Select(r => Relax(r.Key, r.Value, missing)).OrderByDescending(r => r.Devices).ThenBy(r => r.Rule, StringComparer.Ordinal)];
    }

    /// <summary>The same task without this one rule.</summary>
    private static Requirements Without(string rule, Requirements needs, PlacementDevice device) => rule switch
    {
        Refusals.Cpu => needs with { CpuMillicores = 0 },
        Refusals.Memory => needs with { MemoryBytes = 0 },
        Refusals.Disk => needs with { DiskBytes = 0 },
        Refusals.Gpu => needs with { Gpus = 0 },
        Refusals.Network => needs with { Network = NetworkNeed.None },
        Refusals.Labels => needs with { Labels = [] },
        Refusals.Region => needs with { Regions = [] },
        Refusals.Excluded => needs with { ExcludedDevices = [] },
        Refusals.Attestation => needs with { AttestedOnly = false },
        Refusals.Trust => needs with { MinimumTrust = 0 },
        Refusals.Isolation when needs.PayloadKind == "command" && device.Isolation.Contains(Isolation.Process) => needs with { Isolation = Isolation.Process },
        _ => needs,
    };

    /// <summary>The same device, were it there (when that is the rule it breaks).</summary>
    private static PlacementDevice Available(string rule, PlacementDevice device) => device.Unavailable == rule ? device with { Unavailable = null } : device;

    private static Relaxation Relax(string rule, List<PlacementDevice> devices, int missing)
    {
        long? Least(Func<PlacementDevice, long> amount) => devices.Select(amount).OrderDescending().Take(missing).Last();
        return new Relaxation(rule, devices.Count, rule switch
        {
            Refusals.Cpu => Least(d => d.CpuMillicores),
            Refusals.Memory => Least(d => d.MemoryBytes),
            Refusals.Disk => Least(d => d.DiskBytes ?? 0),
            Refusals.Gpu => Least(d => d.Gpus),
            _ => null,
        });
    }
}
