using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Builtin;

/// <summary>A kernel's parameter is out of range; becomes <see cref="ExecutionReasons.ParameterInvalid"/>.</summary>
public sealed class KernelParameterException(string message) : Exception(message);

/// <summary>Reads numeric kernel parameters with a default and a range.</summary>
internal static class KernelParameters
{
    public static double Number(this PayloadSpec payload, string name, double fallback, double least, double most)
    {
        var value = payload.Parameters is { } given && given.TryGetValue(name, out var found) ? found : fallback;
        return value >= least && value <= most
            ? value
            : throw new KernelParameterException($"Parameter {name} is {value}; kernel {payload.Kernel} takes {least} to {most}.");
    }

    public static int Integer(this PayloadSpec payload, string name, int fallback, int least, int most)
    {
        var value = payload.Number(name, fallback, least, most);
        return value == Math.Floor(value) ? (int)value : throw new KernelParameterException($"Parameter {name} is {value}; it must be a whole number.");
    }
}
