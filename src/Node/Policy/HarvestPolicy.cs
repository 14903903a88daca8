using FogCompute.Node.Probes;

namespace FogCompute.Node.Policy;

/// <summary>Words for <see cref="HarvestVerdict.State"/>, the same as in the wire's device condition.</summary>
public static class HarvestStates
{
    public const string Disabled = "disabled";
    public const string Ineligible = "ineligible";
    public const string Eligible = "eligible";
    public const string Contributing = "contributing";
    public const string Suspending = "suspending";
}

/// <summary>Why the machine does not take work. Sent to the control plane, shown to the owner, used as the reason of evicted attempts.</summary>
public static class HarvestReasons
{
    public const string PausedByOwner = "paused_by_owner";
    public const string TooHot = "too_hot";
    public const string OnBattery = "on_battery";
    public const string BatteryLow = "battery_low";
    public const string UserActive = "user_active";
    public const string CpuBusy = "cpu_busy";
    public const string OutsideHours = "outside_hours";
    public const string NetworkNotAllowed = "network_not_allowed";
    public const string TransferCap = "transfer_cap";
    public const string Resting = "resting";

    /// <summary>Most important first; the first that applies is the verdict's reason.</summary>
    public static readonly IReadOnlyList<string> ByImportance =
        [PausedByOwner, TooHot, OnBattery, BatteryLow, UserActive, CpuBusy, OutsideHours, NetworkNotAllowed, TransferCap, Resting];

    /// <summary>Reasons that stop running attempts at once instead of after the grace: the owner is there, or the machine would suffer.</summary>
    public static bool StopsAtOnce(string reason) => reason is TooHot or OnBattery or BatteryLow or UserActive;
}

/// <summary>What is known at one evaluation.</summary>
/// <param name="Paused">The owner said <c>pause</c> and not yet <c>resume</c>.</param>
/// <param name="RunningAttempts">Attempts that use the CPU now.</param>
/// <param name="TransferredToday">Bytes moved for jobs since midnight in the owner's zone.</param>
public sealed record HarvestInput(SensorReadings Sensors, bool Paused, int RunningAttempts, long TransferredToday);

/// <summary>One reason against taking work, with a sentence for the owner.</summary>
public sealed record Blocker(string Reason, string Message);

/// <summary>
/// What the policy decides.
/// </summary>
/// <param name="State">One of <see cref="HarvestStates"/>.</param>
/// <param name="Reason">Null when eligible or contributing.</param>
/// <param name="Blockers">Everything that is against it now, most important first; empty while only a hold is running out.</param>
/// <param name="CpuLimit">Share of the machine's cores jobs may use now, 0–1.</param>
/// <param name="StopRunning">Whether running attempts must end now.</param>
/// <param name="NotBefore">When a hold (hysteresis, rest, grace) ends, if one is running.</param>
public sealed record HarvestVerdict(
    string State, string? Reason, IReadOnlyList<Blocker> Blockers, double CpuLimit, bool StopRunning, DateTimeOffset? NotBefore)
{
    /// <summary>Whether new leases are welcome.</summary>
    public bool TakesWork => State is HarvestStates.Eligible or HarvestStates.Contributing;
}

/// <summary>What the policy remembers between evaluations. Opaque to callers.</summary>
public sealed record HarvestState
{
    public static readonly HarvestState Initial = new();

    /// <summary>Whether the last verdict took work.</summary>
    public bool Active { get; init; }
    public string? Reason { get; init; }

    /// <summary>Earliest return to work after a stop.</summary>
    public DateTimeOffset? HoldUntil { get; init; }
    public DateTimeOffset? GraceEnds { get; init; }

    /// <summary>1, ½, ¼ … while the machine is hot.</summary>
    public double Throttle { get; init; } = 1;
    public DateTimeOffset? ThrottleChanged { get; init; }

    /// <summary>Time spent on jobs since the last rest.</summary>
    public TimeSpan Worked { get; init; }
    public DateTimeOffset? NotWorkingSince { get; init; }
    public DateTimeOffset? RestUntil { get; init; }
    public DateTimeOffset? LastEvaluated { get; init; }
}

/// <summary>
/// Decides whether the machine may work for others now: a pure function of memory, sensors, the owner's settings and the clock.
/// A sensor that does not exist never blocks. Stops take effect at once; a return to work needs the conditions to have been good for a
/// hold time (60 s, 5 min after heat), so the verdict cannot flap: two stops are at least one hold apart. Only the owner's own pause and
/// resume act without a hold.
/// </summary>
public static class HarvestPolicy
{
    private static readonly TimeSpan ThrottleStep = TimeSpan.FromSeconds(10);

    /// <summary>Longer gaps between evaluations mean that the machine slept; they do not count as work.</summary>
    private static readonly TimeSpan LongestTick = TimeSpan.FromSeconds(60);

    public static (HarvestState State, HarvestVerdict Verdict) Evaluate(
        HarvestState state, HarvestInput input, HarvestSettings settings, DateTimeOffset now)
    {
        state = CountWork(state, input.RunningAttempts > 0, settings, now);
        state = Throttle(state, input.Sensors.TemperatureCelsius, settings, now);
        var blockers = FindBlockers(state, input, settings, now);
        var limit = CpuLimit(state, input.Sensors, settings);

        var hold = state.HoldUntil;
        foreach (var (reason, _) in blockers)
            if (state.Active ? reason is not (HarvestReasons.PausedByOwner or HarvestReasons.Resting) : RenewsHold(reason, input.Sensors, settings))
                hold = Later(hold, now + HoldFor(reason, settings));
        if (hold <= now)
            hold = null;

        if (blockers.Count == 0 && hold is null)
        {
            var next = state with { Active = true, Reason = null, HoldUntil = null, GraceEnds = null };
            var word = input.RunningAttempts > 0 ? HarvestStates.Contributing : HarvestStates.Eligible;
            return (next, new HarvestVerdict(word, null, [], limit, StopRunning: false, null));
        }

        var why = blockers.Count > 0 ? blockers[0].Reason : state.Reason ?? HarvestReasons.CpuBusy;
        var resting = state.RestUntil is { } rest && blockers.Any(b => b.Reason == HarvestReasons.Resting) ? rest : (DateTimeOffset?)null;
        if (input.RunningAttempts > 0)
        {
            var grace = state.GraceEnds ?? now + settings.Grace;
            var stop = now >= grace || blockers.Any(b => HarvestReasons.StopsAtOnce(b.Reason));
            var next = state with { Active = false, Reason = why, HoldUntil = hold, GraceEnds = grace };
            return (next, new HarvestVerdict(HarvestStates.Suspending, why, blockers, limit, stop, Later(grace, hold)));
        }
        else
        {
            var next = state with { Active = false, Reason = why, HoldUntil = hold, GraceEnds = null };
            var word = why == HarvestReasons.PausedByOwner ? HarvestStates.Disabled : HarvestStates.Ineligible;
            return (next, new HarvestVerdict(word, why, blockers, limit, StopRunning: true, Later(hold, resting)));
        }
    }

    private static List<Blocker> FindBlockers(HarvestState state, HarvestInput input, HarvestSettings settings, DateTimeOffset now)
    {
        var sensors = input.Sensors;
        var found = new List<Blocker>();
        if (input.Paused)
            found.Add(new(HarvestReasons.PausedByOwner, "You paused this machine; `fog-node resume` lets it work again."));

        if (sensors.TemperatureCelsius is { } heat)
        {
            if (heat >= settings.StopTemperature)
                found.Add(new(HarvestReasons.TooHot, $"{heat:0.#} °C is at or above the stop temperature of {settings.StopTemperature:0.#} °C."));
            else if (!state.Active && heat > settings.StartTemperature)
                found.Add(new(HarvestReasons.TooHot, $"{heat:0.#} °C is above the start temperature of {settings.StartTemperature:0.#} °C."));
        }

        if (sensors.Charging == false)
        {
            if (!settings.AllowBattery)
                found.Add(new(HarvestReasons.OnBattery, "The machine runs on battery and the policy allows mains power only."));
            else if (sensors.BatteryPercent < settings.MinBatteryPercent)
                found.Add(new(HarvestReasons.BatteryLow,
                    $"Battery at {sensors.BatteryPercent:0.#} %, the policy asks for at least {settings.MinBatteryPercent:0.#} %."));
        }

        if (sensors.UserIdleSeconds is { } idle && idle < settings.MinUserIdle.TotalSeconds)
            found.Add(new(HarvestReasons.UserActive,
                $"Somebody used the machine {idle:0} s ago, the policy asks for {settings.MinUserIdle.TotalSeconds:0} s of quiet."));
        if (sensors.OtherCpu is { } cpu && cpu > settings.MaxOtherCpu)
            found.Add(new(HarvestReasons.CpuBusy,
                $"Other programs use {cpu:P0} of the CPU (60 s mean), the policy allows {settings.MaxOtherCpu:P0}."));
        if (!settings.InHours(now))
            found.Add(new(HarvestReasons.OutsideHours, "Now is outside the hours of the policy."));
        if (sensors.Network is { } network && !settings.AllowedNetworks.Contains(network))
            found.Add(new(HarvestReasons.NetworkNotAllowed,
                $"The machine is on a {network} network, the policy allows {string.Join(", ", settings.AllowedNetworks)}."));
        if (settings.MaxDailyTransfer is { } cap && input.TransferredToday >= cap)
            found.Add(new(HarvestReasons.TransferCap,
                $"{input.TransferredToday / (1 << 20)} MiB moved today, the policy allows {cap / (1 << 20)} MiB a day."));
        if (state.RestUntil is { } rest && rest > now)
            found.Add(new(HarvestReasons.Resting, $"Resting until {rest:u} after {settings.MaxWork?.TotalHours:0.#} h of work."));
        return found;
    }

    /// <summary>
    /// Whether a reason that still applies pushes the return to work further away. Reasons with a memory or a clock of their own
    /// (idle time, hours, rest, daily cap, pause) do not, or the machine would start later than the owner asked for.
    /// </summary>
    private static bool RenewsHold(string reason, SensorReadings sensors, HarvestSettings settings) => reason switch
    {
        HarvestReasons.TooHot or HarvestReasons.OnBattery or HarvestReasons.BatteryLow or HarvestReasons.CpuBusy
            or HarvestReasons.NetworkNotAllowed => true,
        HarvestReasons.UserActive => sensors.UserIdleSeconds < (settings.MinUserIdle - settings.Hold).TotalSeconds,
        _ => false,
    };

    private static TimeSpan HoldFor(string reason, HarvestSettings settings) =>
        reason == HarvestReasons.TooHot ? settings.ResumeAfterCool : settings.Hold;

    private static HarvestState CountWork(HarvestState state, bool working, HarvestSettings settings, DateTimeOffset now)
    {
        var tick = state.LastEvaluated is { } last && now > last ? now - last : TimeSpan.Zero;
        state = state with { LastEvaluated = now };
        if (state.RestUntil <= now)
            state = state with { RestUntil = null, Worked = TimeSpan.Zero };
        if (settings.MaxWork is not { } most)
            return state with { Worked = TimeSpan.Zero, RestUntil = null };
        if (!working)
        {
            var since = state.NotWorkingSince ?? now;
            return state with { NotWorkingSince = since, Worked = now - since >= settings.Rest ? TimeSpan.Zero : state.Worked };
        }
        var worked = state.Worked + (tick > LongestTick ? TimeSpan.Zero : tick);
        return worked >= most && state.RestUntil is null
            ? state with { NotWorkingSince = null, Worked = worked, RestUntil = now + settings.Rest }
            : state with { NotWorkingSince = null, Worked = worked };
    }

    private static HarvestState Throttle(HarvestState state, double? heat, HarvestSettings settings, DateTimeOffset now)
    {
        if (state.ThrottleChanged is { } changed && now - changed < ThrottleStep)
            return state;
        if (heat >= settings.ThrottleTemperature)
            return state with { Throttle = Math.Max(state.Throttle / 2, 1.0 / 64), ThrottleChanged = now };
        // Three degrees of hysteresis; a sensor that went away no longer throttles.
        return state.Throttle < 1 && !(heat >= settings.ThrottleTemperature - 3)
            ? state with { Throttle = Math.Min(1, state.Throttle * 2), ThrottleChanged = now }
            : state;
    }

    private static double CpuLimit(HarvestState state, SensorReadings sensors, HarvestSettings settings)
    {
        var limit = settings.MaxCpu * state.Throttle;
        if (sensors.BatteryPercent is { } battery && sensors.Charging == false)
        {
            if (battery < settings.BatteryCriticalPercent)
                limit = Math.Min(limit, settings.CpuBatteryCritical);
            else if (battery < settings.BatteryLowPercent)
                limit = Math.Min(limit, settings.CpuBatteryLow);
        }
        if (sensors.TemperatureCelsius is { } heat)
        {
            if (heat >= (settings.ThrottleTemperature + settings.StopTemperature) / 2)
                limit = Math.Min(limit, settings.CpuCritical);
            else if (heat >= settings.ThrottleTemperature)
                limit = Math.Min(limit, settings.CpuHot);
        }
        return limit;
    }

    private static DateTimeOffset? Later(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null ? a : a > b ? a : b;
}
