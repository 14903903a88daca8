namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>Why a device cannot take a task. The words are wire codes; docs/reasons.md explains each.</summary>
public static class Refusals
{
    public const string Cpu = "cpu";
    public const string Memory = "memory";
    public const string Disk = "disk";
    public const string Gpu = "gpu";
    public const string Isolation = "isolation";
    public const string PayloadKind = "payload_kind";
    public const string Network = "network";
    public const string Labels = "labels";
    public const string Region = "region";
    public const string Excluded = "excluded";
    public const string Trust = "trust";
    public const string Attestation = "attestation";
    public const string DistinctDevice = "distinct_device";
    public const string DistinctOwner = "distinct_owner";

    /// <summary>Would fit an idle device, but its leases leave too little just now.</summary>
    public const string Busy = "busy";
}

/// <summary>A device's free capacity while a pass fills it.</summary>
public struct FreeCapacity(PlacementDevice device)
{
    public int Millicores { get; private set; } = device.CpuMillicores - device.LeasedMillicores;
    public long Bytes { get; private set; } = device.MemoryBytes - device.LeasedBytes;
    public long? Disk { get; private set; } = device.DiskBytes - device.LeasedDisk;
    public int Gpus { get; private set; } = device.Gpus - device.LeasedGpus;
    public int Slots { get; private set; } = device.Slots - device.Leases;

    public readonly bool Fits(Requirements needs) =>
        Slots > 0 && needs.CpuMillicores <= Millicores && needs.MemoryBytes <= Bytes && needs.Gpus <= Gpus && !(needs.DiskBytes > Disk);

    public void Take(Requirements needs)
    {
        Millicores -= needs.CpuMillicores;
        Bytes -= needs.MemoryBytes;
        Disk -= needs.DiskBytes;
        Gpus -= needs.Gpus;
        Slots--;
    }

    public void Give(Requirements needs)
    {
        Millicores += needs.CpuMillicores;
        Bytes += needs.MemoryBytes;
        Disk += needs.DiskBytes;
        Gpus += needs.Gpus;
        Slots++;
    }
}

/// <summary>The hard rules of placement. O(1) per task and device.</summary>
public static class HardFilter
{
    /// <summary>The first rule the device breaks whatever else runs on it, or null.</summary>
    public static string? Static(Requirements needs, PlacementDevice device)
    {
        if (device.Unavailable is { } reason)
            return reason;
        if (!device.PayloadKinds.Contains(needs.PayloadKind))
            return Refusals.PayloadKind;
        if (!Isolates(needs, device))
            return Refusals.Isolation;
        if (needs.CpuMillicores > device.CpuMillicores)
            return Refusals.Cpu;
        if (needs.MemoryBytes > device.MemoryBytes)
            return Refusals.Memory;
        if (needs.DiskBytes > device.DiskBytes)
            return Refusals.Disk;
        if (needs.Gpus > device.Gpus)
            return Refusals.Gpu;
        if (needs.Network == NetworkNeed.Full && !device.NetworkAllowed)
            return Refusals.Network;
        foreach (var label in needs.Labels)
        {
            if (!device.Labels.Contains(label))
                return Refusals.Labels;
        }
        if (needs.Regions.Count > 0 && (device.Region is null || !needs.Regions.Contains(device.Region, StringComparer.Ordinal)))
            return Refusals.Region;
        if (needs.ExcludedDevices.Contains(device.Id, StringComparer.Ordinal))
            return Refusals.Excluded;
        if (needs.AttestedOnly && !device.Attested)
            return Refusals.Attestation;
        return device.Trust < needs.MinimumTrust ? Refusals.Trust : null;
    }

    /// <summary>The rules between this task's replicas, or null.</summary>
    public static string? Diversity(PlacementTask task, PlacementDevice device)
    {
        if (task.UsedDevices.Contains(device.Id))
            return Refusals.DistinctDevice;
        return task.RequireDistinctOwners && task.UsedOwners.Contains(device.Owner) ? Refusals.DistinctOwner : null;
    }

    /// <summary>Every rule, for <c>why</c>: null when the device could take the task this moment.</summary>
    public static string? Explain(PlacementTask task, PlacementDevice device) =>
        Static(task.Needs, device) ?? Diversity(task, device) ?? (new FreeCapacity(device).Fits(task.Needs) ? null : Refusals.Busy);

    /// <summary>Whether the device runs this payload kind at the asked isolation or stronger.</summary>
    private static bool Isolates(Requirements needs, PlacementDevice device) => needs.PayloadKind switch
    {
        // Kernels are the agent's own code: no foreign instruction runs, so they satisfy what a sandbox would.
        "builtin" => needs.Isolation <= Isolation.Sandbox,
        "wasm" => device.Isolation.Contains(Isolation.Wasm),
        "container" => needs.Isolation <= Isolation.Container && device.Isolation.Contains(Isolation.Container),
        _ => needs.Isolation switch
        {
            Isolation.Process => device.Isolation.Contains(Isolation.Process) || device.Isolation.Contains(Isolation.Sandbox),
            Isolation.Sandbox => device.Isolation.Contains(Isolation.Sandbox),
            _ => false,
        },
    };
}
