using System.Globalization;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Plans;

/// <summary>
/// One axis of a chart: a range that covers all values and ends at ticks. Steps are 1, 2 or 5 times a power of ten; values that are all positive and
/// span a factor of 100 or more get a logarithmic scale, or the small ones would lie on each other.
/// </summary>
public sealed class Axis
{
    private const double LogarithmicFrom = 100, LogarithmicLeast = 1e-12;

    private readonly double _low, _high;
    private readonly bool _logarithmic;

    /// <param name="values">Finite; at least one.</param>
    /// <param name="ticks">About so many ticks, 2 or more.</param>
    /// <param name="unit">What the labels count, and by how much of it a value is divided.</param>
    private Axis(IReadOnlyCollection<double> values, int ticks, (string Name, double Size) unit)
    {
        var (min, max) = (values.Min() / unit.Size, values.Max() / unit.Size);
        _logarithmic = IsLogarithmic(values);
        Unit = _logarithmic ? unit.Name + ", logarithmic" : unit.Name;
        if (_logarithmic)
        {
            var (first, last) = ((int)Math.Floor(Math.Log10(min) + 1e-9), (int)Math.Ceiling(Math.Log10(max) - 1e-9));
            var stride = Math.Max(1, (last - first + ticks - 2) / (ticks - 1));
            last = first + (last - first + stride - 1) / stride * stride;
            (_low, _high) = (Math.Pow(10, first), Math.Pow(10, last));
            Ticks = [.. Enumerable.Range(0, (last - first) / stride + 1).Select(i => Math.Pow(10, first + i * stride)).Select(t => (t * unit.Size, Humane.Significant(t)))];
        }
        else
        {
            if (max - min <= Math.Abs(max) * 1e-9)
            {
                // All values equal: room on both sides, though not below zero where nothing is.
                var room = max == 0 ? 1 : Math.Abs(max) * 0.1;
                (min, max) = (min >= 0 ? Math.Max(0, min - room) : min - room, max + room);
            }
            var step = Nice((max - min) / (ticks - 1));
            var (first, last) = (Math.Floor(min / step + 1e-6), Math.Ceiling(max / step - 1e-6));
            (_low, _high) = (first * step, last * step);
            Ticks = [.. Enumerable.Range(0, (int)(last - first) + 1).Select(i => (first + i) * step).Select(t => (t * unit.Size, Label(t, step)))];
        }
        (_low, _high) = (_low * unit.Size, _high * unit.Size);
    }

    /// <summary>What the labels count, and on what scale where it is not a linear one: <c>min</c>, <c>credits, logarithmic</c>.</summary>
    public string Unit { get; }

    /// <summary>Values that are marked, ascending from one end to the other, and what stands there.</summary>
    public IReadOnlyList<(double Value, string Text)> Ticks { get; }

    /// <summary>An axis of amounts.</summary>
    public static Axis OfCredits(IReadOnlyCollection<double> values, int ticks) => new(values, ticks, ("credits", 1));

    /// <summary>An axis of energies, given in joules and marked in the unit that suits the largest.</summary>
    public static Axis OfJoules(IReadOnlyCollection<double> values, int ticks) => new(values, ticks, values.Max() switch
    {
        _ when IsLogarithmic(values) => ("J", 1),
        < 10_000 => ("J", 1),
        < 10_000_000 => ("kJ", 1_000),
        _ => ("MJ", 1_000_000),
    });

    /// <summary>An axis of durations, given in seconds and marked in the unit that suits the longest.</summary>
    public static Axis OfSeconds(IReadOnlyCollection<double> values, int ticks) => new(values, ticks, values.Max() switch
    {
        _ when IsLogarithmic(values) => ("s", 1),
        < 120 => ("s", 1),
        < 7200 => ("min", 60),
        _ => ("h", 3600),
    });

    /// <summary>Where the value lies between the ends, 0–1.</summary>
    public double Share(double value) => Math.Clamp(
        _logarithmic ? Math.Log(value / _low) / Math.Log(_high / _low) : (value - _low) / (_high - _low), 0, 1);

    private static bool IsLogarithmic(IReadOnlyCollection<double> values) => values.Min() > LogarithmicLeast && values.Max() / values.Min() >= LogarithmicFrom;

    /// <summary>The smallest of 1, 2, 5 × 10ᵏ that is not below the given step.</summary>
    private static double Nice(double step)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        return (step / power) switch { <= 1 + 1e-9 => 1, <= 2 + 1e-9 => 2, <= 5 + 1e-9 => 5, _ => 10 } * power;
    }

    private static string Label(double tick, double step)
    {
        if (Math.Abs(tick) >= 1e7 && step >= 1e5 || Math.Abs(tick) > 0 && step < 1e-7)
            return tick.ToString("0.######E+0", CultureInfo.InvariantCulture);
        var decimals = Math.Clamp((int)-Math.Floor(Math.Log10(step) + 1e-9), 0, 9);
        var text = tick.ToString("F" + decimals, CultureInfo.InvariantCulture);
        return text.StartsWith('-') && tick > -step / 2 ? text[1..] : text;
    }
}
