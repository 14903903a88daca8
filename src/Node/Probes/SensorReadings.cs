using System.Text.Json;

namespace FogCompute.Node.Probes;

/// <summary>Sensor values of one moment; a sensor that does not exist is null and never blocks.</summary>
public sealed record SensorReadings
{
    /// <summary>0–100.</summary>
    public double? BatteryPercent { get; init; }

    /// <summary>Whether mains power is connected.</summary>
    public bool? Charging { get; init; }
    public double? TemperatureCelsius { get; init; }

    /// <summary>CPU used by processes that are not the agent's, mean of the last 60 s, 0–1 of all cores.</summary>
    public double? OtherCpu { get; init; }

    /// <summary>Seconds since somebody used keyboard, mouse or screen.</summary>
    public double? UserIdleSeconds { get; init; }

    /// <summary><c>ethernet</c>, <c>wifi</c> or <c>metered</c>.</summary>
    public string? Network { get; init; }
}

/// <summary>
/// A file that replaces single sensors: a JSON object with the snake_case names of <see cref="SensorReadings"/>. A key that is there wins over
/// the real sensor, also with null ("this sensor does not exist"). For machines whose sensors lie, and for tests.
/// </summary>
public static class SensorsFile
{
    /// <summary>Lays the file's values over the readings.</summary>
    /// <exception cref="FormatException">Names the key, its value and what is allowed.</exception>
    public static SensorReadings Apply(SensorReadings real, string json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException error)
        {
            throw new FormatException($"The sensors file is not valid JSON: {error.Message}", error);
        }
        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new FormatException("The sensors file must be a JSON object such as {\"charging\": false}.");
            foreach (var member in document.RootElement.EnumerateObject())
                real = member.Name switch
                {
                    "battery_percent" => real with { BatteryPercent = Number(member, 0, 100) },
                    "charging" => real with { Charging = Flag(member) },
                    "temperature_celsius" => real with { TemperatureCelsius = Number(member, -50, 200) },
                    "other_cpu" => real with { OtherCpu = Number(member, 0, 1) },
                    "user_idle_seconds" => real with { UserIdleSeconds = Number(member, 0, 1e9) },
                    "network" => real with { Network = Kind(member) },
                    _ => throw new FormatException(
                        $"{member.Name} is not a sensor; known: battery_percent, charging, temperature_celsius, other_cpu, user_idle_seconds, network."),
                };
            return real;
        }
    }

    private static double? Number(JsonProperty member, double min, double max) => member.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number when member.Value.TryGetDouble(out var value) && value >= min && value <= max => value,
        _ => throw new FormatException($"{member.Name} is {member.Value.GetRawText()}, allowed: {min}–{max} or null."),
    };

    private static bool? Flag(JsonProperty member) => member.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw new FormatException($"{member.Name} is {member.Value.GetRawText()}, allowed: true, false or null."),
    };

    private static string? Kind(JsonProperty member) => member.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String when member.Value.GetString() is "ethernet" or "wifi" or "metered" => member.Value.GetString(),
        _ => throw new FormatException($"{member.Name} is {member.Value.GetRawText()}, allowed: ethernet, wifi, metered or null."),
    };
}
