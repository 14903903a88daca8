using System.Globalization;
using System.Text.Json;

namespace FogCompute.Node.Policy;

/// <summary>One window of the week in which the machine may work. <c>From</c> = <c>To</c> means the whole day; <c>From</c> &gt; <c>To</c> runs past midnight.</summary>
public sealed record HarvestWindow(IReadOnlySet<DayOfWeek> Days, TimeOnly From, TimeOnly To)
{
    /// <summary>Whether this local time lies inside; the part after midnight belongs to the day on which the window began.</summary>
    public bool Contains(DateTime local)
    {
        var time = TimeOnly.FromDateTime(local);
        if (From == To)
            return Days.Contains(local.DayOfWeek);
        if (From < To)
            return Days.Contains(local.DayOfWeek) && time >= From && time < To;
        return (Days.Contains(local.DayOfWeek) && time >= From) || (Days.Contains(local.AddDays(-1).DayOfWeek) && time < To);
    }
}

/// <summary>A policy file that cannot be used; the message lists every mistake with key, value and allowed range.</summary>
public sealed class PolicyException(string message) : Exception(message);

/// <summary>The owner's terms. Defaults are the <c>owner</c> preset; every number has a range in <see cref="Knobs"/>.</summary>
public sealed record HarvestSettings
{
    /// <summary>Somebody's own machine: mains only, nobody at it, cool, half of the CPU.</summary>
    public static readonly HarvestSettings Owner = new();

    /// <summary>A machine that is there for the pool: no limits but heat, with thresholds of server hardware.</summary>
    public static readonly HarvestSettings Dedicated = new()
    {
        AllowBattery = true, MinBatteryPercent = 0, MinUserIdle = TimeSpan.Zero, MaxOtherCpu = 1, StartTemperature = 75, ThrottleTemperature = 85,
        StopTemperature = 95, AllowedNetworks = ["ethernet", "wifi", "metered"], MaxCpu = 1, MaxMemory = 0.9, MaxWork = null,
        CpuBatteryLow = 1, CpuBatteryCritical = 1,
    };

    public static readonly IReadOnlyDictionary<string, HarvestSettings> Presets =
        new Dictionary<string, HarvestSettings> { ["owner"] = Owner, ["dedicated"] = Dedicated };

    public bool AllowBattery { get; init; }
    public double MinBatteryPercent { get; init; } = 20;
    public TimeSpan MinUserIdle { get; init; } = TimeSpan.FromSeconds(180);
    public double MaxOtherCpu { get; init; } = 0.25;
    public double StartTemperature { get; init; } = 45;
    public double ThrottleTemperature { get; init; } = 55;
    public double StopTemperature { get; init; } = 65;
    public TimeSpan ResumeAfterCool { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Hysteresis: how long the conditions must have been good before the machine works again after a stop.</summary>
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long running attempts may finish after a stop that is not urgent.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Share of the machine's cores and memory that is offered, 0–1.</summary>
    public double MaxCpu { get; init; } = 0.5;
    public double MaxMemory { get; init; } = 0.5;

    /// <summary>CPU limits under bad conditions, shares of the machine's cores.</summary>
    public double CpuBatteryLow { get; init; } = 0.35;
    public double CpuBatteryCritical { get; init; } = 0.20;
    public double CpuHot { get; init; } = 0.30;
    public double CpuCritical { get; init; } = 0.15;
    public double BatteryLowPercent { get; init; } = 50;
    public double BatteryCriticalPercent { get; init; } = 30;

    /// <summary>Bytes per day in the owner's zone; null: no cap.</summary>
    public long? MaxDailyTransfer { get; init; }

    /// <summary>Longest work before a rest; null: no rest.</summary>
    public TimeSpan? MaxWork { get; init; } = TimeSpan.FromHours(8);
    public TimeSpan Rest { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Empty: always.</summary>
    public IReadOnlyList<HarvestWindow> Hours { get; init; } = [];
    public TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Local;
    public IReadOnlyList<string> AllowedNetworks { get; init; } = ["ethernet", "wifi"];

    public bool InHours(DateTimeOffset now)
    {
        if (Hours.Count == 0)
            return true;
        var local = TimeZoneInfo.ConvertTime(now, Zone).DateTime;
        return Hours.Any(window => window.Contains(local));
    }

    /// <summary>A numeric key of the policy file: name, range, how it is set. <c>null</c> in the file is accepted only where <c>Nullable</c>.</summary>
    internal sealed record Knob(string Name, double Min, double Max, bool Nullable, Func<HarvestSettings, double?, HarvestSettings> Set);

    internal static readonly IReadOnlyList<Knob> Knobs =
    [
        new("min_battery_percent", 0, 100, false, (s, v) => s with { MinBatteryPercent = v!.Value }),
        new("min_user_idle_seconds", 0, 86_400, false, (s, v) => s with { MinUserIdle = TimeSpan.FromSeconds(v!.Value) }),
        new("max_other_cpu", 0, 1, false, (s, v) => s with { MaxOtherCpu = v!.Value }),
        new("start_temperature", 0, 110, false, (s, v) => s with { StartTemperature = v!.Value }),
        new("throttle_temperature", 0, 110, false, (s, v) => s with { ThrottleTemperature = v!.Value }),
        new("stop_temperature", 0, 110, false, (s, v) => s with { StopTemperature = v!.Value }),
        new("resume_after_cool_seconds", 1, 86_400, false, (s, v) => s with { ResumeAfterCool = TimeSpan.FromSeconds(v!.Value) }),
        new("hold_seconds", 1, 3_600, false, (s, v) => s with { Hold = TimeSpan.FromSeconds(v!.Value) }),
        new("grace_seconds", 0, 600, false, (s, v) => s with { Grace = TimeSpan.FromSeconds(v!.Value) }),
        new("max_cpu", 0.01, 1, false, (s, v) => s with { MaxCpu = v!.Value }),
        new("max_memory", 0.01, 1, false, (s, v) => s with { MaxMemory = v!.Value }),
        new("cpu_battery_low", 0.01, 1, false, (s, v) => s with { CpuBatteryLow = v!.Value }),
        new("cpu_battery_critical", 0.01, 1, false, (s, v) => s with { CpuBatteryCritical = v!.Value }),
        new("cpu_hot", 0.01, 1, false, (s, v) => s with { CpuHot = v!.Value }),
        new("cpu_critical", 0.01, 1, false, (s, v) => s with { CpuCritical = v!.Value }),
        new("battery_low_percent", 0, 100, false, (s, v) => s with { BatteryLowPercent = v!.Value }),
        new("battery_critical_percent", 0, 100, false, (s, v) => s with { BatteryCriticalPercent = v!.Value }),
        new("max_daily_transfer_mb", 1, 1e9, true, (s, v) => s with { MaxDailyTransfer = v is { } mb ? (long)(mb * (1 << 20)) : null }),
        new("max_work_hours", 0.01, 24, true, (s, v) => s with { MaxWork = v is { } hours ? TimeSpan.FromHours(hours) : null }),
        new("rest_minutes", 1, 1_440, false, (s, v) => s with { Rest = TimeSpan.FromMinutes(v!.Value) }),
    ];

    private static readonly string[] OtherKeys = ["preset", "allow_battery", "allowed_networks", "hours", "time_zone"];
    private static readonly string[] NetworkKinds = ["ethernet", "wifi", "metered"];
    private static readonly string[] DayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>A preset name, or the path of a policy file; null means <c>owner</c>.</summary>
    /// <exception cref="PolicyException">No such preset or file, or the file is invalid.</exception>
    public static HarvestSettings Load(string? presetOrFile)
    {
        if (presetOrFile is null)
            return Owner;
        if (Presets.TryGetValue(presetOrFile, out var preset))
            return preset;
        string text;
        try
        {
            text = File.ReadAllText(presetOrFile);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new PolicyException($"The policy '{presetOrFile}' is neither a preset ({string.Join(", ", Presets.Keys)}) nor a readable file: {error.Message}");
        }
        try
        {
            return Parse(text);
        }
        catch (PolicyException error)
        {
            throw new PolicyException($"The policy file {presetOrFile} cannot be used. {error.Message}");
        }
    }

    /// <summary>Reads a policy document (JSON object, comments allowed). Keys that are absent keep the preset's value.</summary>
    /// <exception cref="PolicyException">With every mistake found.</exception>
    public static HarvestSettings Parse(string json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, Lenient);
        }
        catch (JsonException error)
        {
            throw new PolicyException($"It is not valid JSON: {error.Message}");
        }
        using (document)
        {
            var errors = new List<string>();
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new PolicyException("It must be a JSON object such as {\"preset\": \"owner\", \"max_cpu\": 0.5}.");

            var settings = Owner;
            if (document.RootElement.TryGetProperty("preset", out var preset)
                && !(preset.ValueKind == JsonValueKind.String && Presets.TryGetValue(preset.GetString()!, out settings)))
            {
                errors.Add($"preset is {preset.GetRawText()}, allowed: {string.Join(", ", Presets.Keys)}.");
                settings = Owner;
            }
            foreach (var member in document.RootElement.EnumerateObject())
                settings = Apply(settings!, member, errors);
            Check(settings!.StartTemperature <= settings.ThrottleTemperature && settings.ThrottleTemperature <= settings.StopTemperature,
                $"start_temperature {settings.StartTemperature} ≤ throttle_temperature {settings.ThrottleTemperature} ≤ stop_temperature {settings.StopTemperature} does not hold.", errors);
            Check(settings.BatteryCriticalPercent <= settings.BatteryLowPercent,
                $"battery_critical_percent {settings.BatteryCriticalPercent} must not exceed battery_low_percent {settings.BatteryLowPercent}.", errors);
            return errors.Count == 0 ? settings : throw new PolicyException(string.Join(" ", errors));
        }
    }

    private static HarvestSettings Apply(HarvestSettings settings, JsonProperty member, List<string> errors)
    {
        var value = member.Value;
        if (Knobs.FirstOrDefault(k => k.Name == member.Name) is { } knob)
        {
            if (knob.Nullable && value.ValueKind == JsonValueKind.Null)
                return knob.Set(settings, null);
            if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= knob.Min && number <= knob.Max)
                return knob.Set(settings, number);
            errors.Add($"{knob.Name} is {value.GetRawText()}, allowed: {knob.Min.ToString(CultureInfo.InvariantCulture)}–{knob.Max.ToString(CultureInfo.InvariantCulture)}{(knob.Nullable ? " or null" : "")}.");
            return settings;
        }
        switch (member.Name)
        {
            case "preset":
                return settings;
            case "allow_battery":
                if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
                    return settings with { AllowBattery = value.GetBoolean() };
                errors.Add($"allow_battery is {value.GetRawText()}, allowed: true, false.");
                return settings;
            case "allowed_networks":
                if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String && NetworkKinds.Contains(v.GetString())))
                    return settings with { AllowedNetworks = [.. value.EnumerateArray().Select(v => v.GetString()!)] };
                errors.Add($"allowed_networks is {value.GetRawText()}, allowed: a list of {string.Join(", ", NetworkKinds)}.");
                return settings;
            case "time_zone":
                if (value.ValueKind == JsonValueKind.String && FindZone(value.GetString()!) is { } zone)
                    return settings with { Zone = zone };
                errors.Add($"time_zone is {value.GetRawText()}, allowed: \"local\" or a zone this machine knows, such as \"Europe/Berlin\".");
                return settings;
            case "hours":
                return Windows(value) is { } windows ? settings with { Hours = windows } : Wrong();
            default:
                errors.Add($"{member.Name} is not a key of the policy; known keys: {string.Join(", ", Knobs.Select(k => k.Name).Concat(OtherKeys).Order(StringComparer.Ordinal))}.");
                return settings;
        }

        HarvestSettings Wrong()
        {
            errors.Add($"hours is {value.GetRawText()}, allowed: a list of {{\"days\": [\"mon\"…\"sun\"], \"from\": \"22:00\", \"to\": \"07:00\"}}.");
            return settings;
        }
    }

    private static List<HarvestWindow>? Windows(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return null;
        var windows = new List<HarvestWindow>();
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object || item.EnumerateObject().Any(m => m.Name is not ("days" or "from" or "to"))
                || !item.TryGetProperty("days", out var days) || days.ValueKind != JsonValueKind.Array
                || Time(item, "from") is not { } from || Time(item, "to") is not { } to)
                return null;
            var set = new HashSet<DayOfWeek>();
            foreach (var day in days.EnumerateArray())
            {
                var index = day.ValueKind == JsonValueKind.String ? Array.IndexOf(DayNames, day.GetString()) : -1;
                if (index < 0)
                    return null;
                set.Add((DayOfWeek)index);
            }
            windows.Add(new HarvestWindow(set, from, to));
        }
        return windows;
    }

    private static TimeOnly? Time(JsonElement item, string name) =>
        item.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            && TimeOnly.TryParseExact(text.GetString(), "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : null;

    private static TimeZoneInfo? FindZone(string id) =>
        id == "local" ? TimeZoneInfo.Local : TimeZoneInfo.TryFindSystemTimeZoneById(id, out var zone) ? zone : null;

    private static void Check(bool holds, string message, List<string> errors)
    {
        if (!holds)
            errors.Add(message);
    }
}
