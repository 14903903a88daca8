using FogCompute.Cli.Output;

namespace FogCompute.Cli.Diagnosis;

/// <summary>Compares another machine's clock with this one's.</summary>
internal static class ClockCheck
{
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(30);

    public static Finding Compare(string check, string whose, DateTimeOffset theirs, DateTimeOffset ours)
    {
        var ahead = theirs - ours;
        return ahead.Duration() <= Tolerance
            ? Finding.Ok(check, $"{whose} is within {Tolerance.TotalSeconds:0} s of this machine's")
            : Finding.Fail(check, $"{whose} is {Humane.Seconds(ahead.Duration().TotalSeconds)} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} this machine's", "Set the clock of the machine that is wrong: timedatectl set-ntp true");
    }
}
