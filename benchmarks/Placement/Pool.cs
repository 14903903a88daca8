using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Placement;

/// <summary>A kind of device: its tier in a fog topology, what it offers, draws and how it comes and goes.</summary>
/// <param name="Share">Of the pool's devices, 0–1.</param>
/// <param name="Score">Median single-core score; <paramref name="ScoreSpread"/> is σ of its logarithm.</param>
/// <param name="Watts">Above idle per busy core.</param>
/// <param name="Latency">Seconds that staging takes at least; <paramref name="MegabitsPerSecond"/> is its bandwidth.</param>
/// <param name="Stay">Weibull shape and scale (hours) of a stay.</param>
/// <param name="Gap">μ and σ of ln(hours) of an absence.</param>
internal sealed record DeviceClass(
    string Name, double Share, int[] Cores, double GibPerCore, double Score, double ScoreSpread, double Watts, double Latency, double MegabitsPerSecond,
    (double Shape, double Scale) Stay, (double Mu, double Sigma) Gap, params OwnerHours[] Hours);

/// <summary>When the owner uses the machine, by local time; the agent is then likely to stop.</summary>
internal enum OwnerHours { Never, Office, Evening, Day }

/// <summary>A simulated device: what placement knows of it, and when it really is there.</summary>
/// <param name="Known">With what was learned in the four weeks before; nothing leased.</param>
/// <param name="Stays">Hours since the epoch (from, to), ascending, over past and simulated time.</param>
/// <param name="WrongShare">Share of its results that are wrong.</param>
internal sealed record SimulatedDevice(PlacementDevice Known, DeviceClass Class, (double From, double To)[] Stays, double WrongShare);

/// <summary>
/// Pools as in fog simulators (iFogSim: cloud, edge, gateway and mobile tiers with falling capacity and bandwidth), with the desktops, laptops and
/// phones of this product in place of routers. Stays and absences are drawn from the fits to 230 000 SETI@home hosts of Javadi, Kondo, Vincent and
/// Anderson, "Discovering Statistical Models of Availability in Large Distributed Systems" (IEEE TPDS 22(11), 2011), as simulators of volunteer
/// computing use them: stays Weibull with shape 0.393 and scale 2.964 h, absences log-normal with μ = −0.586 and σ = 2.844 (hours), cut at a
/// week. Their daily and weekly pattern follows Kondo et al., "Characterizing and Evaluating Desktop Grids" (IPDPS 2004): machines are there
/// mostly when their owners are not. The pattern is a change of clock: in the owner's hours a stay is used up faster and an absence slower.
/// Cloud and edge machines fail seldom and are back soon.
/// </summary>
internal static class Pool
{
    public const int PastHours = 4 * 168;

    /// <summary>A Monday.</summary>
    public static readonly DateTimeOffset Epoch = new(2026, 1, 5, 0, 0, 0, TimeSpan.Zero);

    private const double LongestGap = 168;
    private static readonly (double, double) SetiStay = (0.393, 2.964);
    private static readonly (double, double) SetiGap = (-0.586, 2.844);

    private static readonly DeviceClass[] Classes =
    [
        new("cloud", 0.04, [16, 32], 4, 95, 0.05, 6, 0.1, 1000, (1, 1440), (-1, 0.5), OwnerHours.Never),
        new("edge", 0.10, [8, 16], 4, 75, 0.10, 8, 0.1, 500, (0.7, 240), (0, 1), OwnerHours.Never),
        new("desktop", 0.40, [4, 6, 8, 12, 16], 2, 100, 0.25, 12, 0.3, 100, SetiStay, SetiGap, OwnerHours.Office, OwnerHours.Evening),
        new("laptop", 0.30, [4, 6, 8], 2, 85, 0.25, 6, 0.4, 50, (0.393, 2), SetiGap, OwnerHours.Office, OwnerHours.Day),
        new("phone", 0.16, [4], 1, 45, 0.30, 1.5, 0.8, 20, (0.393, 1.5), SetiGap, OwnerHours.Day),
    ];

    private static readonly (string Name, int Offset)[] Regions = [("eu-central", 1), ("us-east", -5), ("ap-south", 6)];
    private static readonly HashSet<string> PhoneKinds = ["builtin", "wasm"], AllKinds = ["builtin", "command", "wasm"];
    private static readonly HashSet<Isolation> PhoneIsolation = [Isolation.Process, Isolation.Wasm], AllIsolation = [Isolation.Process, Isolation.Sandbox, Isolation.Wasm];

    /// <param name="start">Hour since the epoch at which the simulated time begins; what was there before is what placement has learned.</param>
    public static SimulatedDevice[] Generate(int devices, ulong seed, double start, double hours)
    {
        var pool = new SimulatedDevice[devices];
        var owner = Guid.Empty;
        for (var i = 0; i < devices; i++)
        {
            var draw = Draw.For(seed, 1, i);
            // The shares are exact, so that small pools have a cloud machine too; one owner in four has several machines.
            var kind = ClassOf((i + 0.5) / devices);
            if (i == 0 || draw.Chance(0.75))
                owner = new Guid(i + 1, 0, 0, new byte[8]);
            pool[i] = Device(i, kind, owner, draw, start, start + hours);
        }
        return pool;
    }

    private static DeviceClass ClassOf(double position)
    {
        foreach (var kind in Classes)
        {
            if (position < kind.Share)
                return kind;
            position -= kind.Share;
        }
        return Classes[^1];
    }

    private static SimulatedDevice Device(int number, DeviceClass kind, Guid owner, Draw draw, double start, double end)
    {
        var phone = kind.Name == "phone";
        var cores = draw.One(kind.Cores);
        var region = draw.One(Regions);
        var stays = Stays(kind, draw.One(kind.Hours), region.Offset + 1.5 * draw.Normal(), draw, start, end);
        var (profile, completed, losses) = Learn(stays, start);
        // One device in twenty errs noticeably.
        var wrongShare = draw.Chance(0.05) ? 0.05 : 0.001;
        var verified = Math.Min(completed, 400) / 4;
        var wrong = Enumerable.Range(0, (int)verified).Count(_ => draw.Chance(wrongShare));
        var reputation = new Reputation(verified - wrong, wrong, Epoch.AddHours(start));
        var known = new PlacementDevice
        {
            Id = $"{kind.Name}-{number:0000}", Owner = owner, CpuMillicores = cores * 1000, MemoryBytes = (long)(cores * kind.GibPerCore * (1L << 30)), Slots = cores * 2,
            Isolation = phone ? PhoneIsolation : AllIsolation, PayloadKinds = phone ? PhoneKinds : AllKinds, Region = region.Name,
            Labels = !phone && draw.Chance(0.7) ? new HashSet<string> { "avx2" } : [],
            Trust = reputation.LowerBound(Epoch.AddHours(start)), Reliability = reputation.Mean(Epoch.AddHours(start)),
            Availability = completed / (completed + losses), Presence = profile, WattsPerCore = kind.Watts, BenchmarkScore = draw.LogNormal(Math.Log(kind.Score), kind.ScoreSpread),
        };
        return new SimulatedDevice(known, kind, stays, wrongShare);
    }

    private static (double From, double To)[] Stays(DeviceClass kind, OwnerHours hours, double offset, Draw draw, double start, double end)
    {
        var stays = new List<(double, double)>();
        // Machines differ among themselves, not only from hour to hour.
        var own = draw.LogNormal(0, 0.5);
        var from = start - PastHours;
        var at = from;
        var present = hours == OwnerHours.Never || draw.Chance(0.5);
        while (at < end)
        {
            var length = present ? own * draw.Weibull(kind.Stay.Shape, kind.Stay.Scale) : Math.Min(LongestGap, draw.LogNormal(kind.Gap.Mu, kind.Gap.Sigma));
            var until = Math.Min(end, Pass(at, length, present, hours, offset, end));
            // Less than a minute is not seen by placement, nor does it give anybody time to start something.
            if (present && until - at > 1.0 / 60)
                stays.Add((at, until));
            (at, present) = (Math.Max(until, at + 1.0 / 60), !present);
        }
        return [.. stays];
    }

    /// <summary>When a clock that the owner's hours make run faster or slower has counted this many hours.</summary>
    private static double Pass(double at, double length, bool present, OwnerHours hours, double offset, double end)
    {
        while (length > 0 && at < end)
        {
            var rate = hours == OwnerHours.Never ? 1 : (InUse(at + offset, hours), present) switch { (true, true) => 4, (true, false) => 0.4, (false, true) => 0.6, _ => 2.5 };
            var step = Math.Min(length / rate, Math.Floor(at) + 1 - at);
            at += step;
            length -= step * rate;
        }
        return at;
    }

    private static bool InUse(double local, OwnerHours hours)
    {
        var hour = (local % 24 + 24) % 24;
        var weekend = (local % 168 + 168) % 168 >= 120;
        return hours switch { OwnerHours.Office => !weekend && hour is >= 9 and < 17, OwnerHours.Evening => hour is >= 18 and < 23, OwnerHours.Day => hour is >= 7 and < 22, _ => false };
    }

    /// <summary>What the pool would have learned of the device until then: presence by hour of the week, and attempts of a quarter of an hour that ended or were lost.</summary>
    private static (AvailabilityProfile Profile, double Completed, double Losses) Learn((double From, double To)[] stays, double start)
    {
        var (observed, present, departures) = (new double[168], new double[168], new double[168]);
        Array.Fill(observed, PastHours / 168 * 3600.0);
        var (hours, losses) = (0.0, 0);
        foreach (var (from, to) in stays)
        {
            if (from >= start)
                break;
            var until = Math.Min(to, start);
            hours += until - from;
            for (var at = from; at < until;)
            {
                var next = Math.Min(until, Math.Floor(at) + 1);
                present[Bucket(at)] += (next - at) * 3600;
                at = next;
            }
            if (to < start)
            {
                departures[Bucket(to)]++;
                losses++;
            }
        }
        return (new AvailabilityProfile(observed, present, departures), 4 * hours + 1, losses);
    }

    private static int Bucket(double hour) => ((int)Math.Floor(hour) % 168 + 168) % 168;
}
