namespace FogCompute.Domain.Tokenomics;

/// <summary>Money is integer micro-credits (<c>long</c>) everywhere inside; decimals exist only on the wire.</summary>
public static class Credits
{
    public const long MicroPerCredit = 1_000_000;

    /// <summary>Credits with exactly six places (<c>1.500000</c>), lossless for every <c>long</c>.</summary>
    public static decimal FromMicro(long micro)
    {
        var magnitude = (ulong)Int128.Abs(micro);
        return new decimal((int)(uint)magnitude, (int)(uint)(magnitude >> 32), 0, micro < 0, 6);
    }

    public static long ToMicro(int credits) => checked(credits * MicroPerCredit);
}
