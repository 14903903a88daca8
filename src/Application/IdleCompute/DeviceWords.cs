using FogCompute.Domain.IdleCompute;

namespace FogCompute.Application.IdleCompute;

/// <summary>The wire's words for device states.</summary>
public static class DeviceWords
{
    /// <summary>What an agent says of itself; null for an unknown word.</summary>
    public static DeviceState? ConditionOf(string? word) => word switch
    {
        "eligible" => DeviceState.Eligible,
        "contributing" => DeviceState.Contributing,
        "ineligible" => DeviceState.Ineligible,
        "suspending" => DeviceState.Suspending,
        "disabled" => DeviceState.Disabled,
        _ => null,
    };

    /// <summary>idle-compute: active (takes work, has none), harvesting (works), idle (the owner's policy holds it back), offline.</summary>
    public static string DeviceStatus(DeviceState state, int leases, bool silent) => state switch
    {
        DeviceState.Lost or DeviceState.Unregistered => "offline",
        _ when silent => "offline",
        _ when leases > 0 => "harvesting",
        DeviceState.Eligible or DeviceState.Contributing => "active",
        _ => "idle",
    };

    /// <summary>scheduler: active, inactive (silent or held back) or maintenance (switched off by its owner).</summary>
    public static string NodeStatus(DeviceState state, bool silent) => state switch
    {
        DeviceState.Disabled => "maintenance",
        DeviceState.Eligible or DeviceState.Contributing when !silent => "active",
        _ => "inactive",
    };
}
