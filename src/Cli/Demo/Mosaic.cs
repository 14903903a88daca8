using System.Globalization;
using System.Text;

namespace FogCompute.Cli.Demo;

/// <summary>A grey picture as the tile kernel writes it: binary PGM (P5). Pixels row by row, 0 to <paramref name="Maximum"/>.</summary>
public sealed record Pgm(int Width, int Height, int Maximum, ushort[] Pixels)
{
    /// <summary>Reads a P5 file with one or two bytes per pixel; throws <see cref="FormatException"/> for anything else.</summary>
    public static Pgm Parse(ReadOnlySpan<byte> file)
    {
        var at = 0;
        if (Token(file, ref at) != "P5")
            throw new FormatException("Not a binary PGM: it does not start with P5.");
        var (width, height, maximum) = (Number(file, ref at), Number(file, ref at), Number(file, ref at));
        if (width is < 1 or > 65_536 || height is < 1 or > 65_536 || maximum is < 1 or > 65_535)
            throw new FormatException($"A PGM of {width} × {height} with maximum {maximum} is out of range.");
        at++; // exactly one blank ends the header
        var bytes = maximum > 255 ? 2 : 1;
        if (file.Length - at != (long)width * height * bytes)
            throw new FormatException($"The PGM should hold {(long)width * height * bytes} bytes of pixels, it holds {Math.Max(0, file.Length - at)}.");
        var pixels = new ushort[width * height];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = bytes == 1 ? file[at + i] : (ushort)(file[at + 2 * i] << 8 | file[at + 2 * i + 1]);
        return new Pgm(width, height, maximum, pixels);
    }

    private static int Number(ReadOnlySpan<byte> file, ref int at) =>
        int.TryParse(Token(file, ref at), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : throw new FormatException("The PGM header is damaged.");

    private static string Token(ReadOnlySpan<byte> file, ref int at)
    {
        while (at < file.Length && (IsBlank(file[at]) || file[at] == '#'))
        {
            if (file[at] != '#')
            {
                at++;
                continue;
            }
            while (at < file.Length && file[at] != '\n')
                at++;
        }
        var start = at;
        while (at < file.Length && !IsBlank(file[at]))
            at++;
        return Encoding.ASCII.GetString(file[start..at]);
    }

    private static bool IsBlank(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';
}

/// <summary>
/// Puts tiles of a picture together. Tile edges lie at <c>position × pixels ÷ tiles</c> (integer division), the rule of the tile kernel, so a
/// tile that does not have exactly the size of its place is refused instead of leaving a gap.
/// </summary>
public sealed class Mosaic(int width, int height, int columns, int rows)
{
    private readonly byte[] _rgb = new byte[3 * width * height];
    private readonly bool[] _placed = new bool[columns * rows];

    public int Width => width;
    public int Height => height;

    /// <summary>Row by row, three bytes per pixel.</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    /// <summary>Indexes of tiles that are not there yet.</summary>
    public IEnumerable<int> Missing => Enumerable.Range(0, _placed.Length).Where(i => !_placed[i]);

    /// <summary>Colours the tile and copies it to its place. Throws <see cref="FormatException"/> when it does not fit.</summary>
    public void Place(int index, Pgm tile)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, _placed.Length);
        var (row, column) = Math.DivRem(index, columns);
        int left = Edge(column, width, columns), top = Edge(row, height, rows);
        int right = Edge(column + 1, width, columns), bottom = Edge(row + 1, height, rows);
        if (tile.Width != right - left || tile.Height != bottom - top)
            throw new FormatException($"Tile {index} is {tile.Width} × {tile.Height} pixels; its place is {right - left} × {bottom - top}.");
        for (var y = 0; y < tile.Height; y++)
        {
            for (var x = 0; x < tile.Width; x++)
            {
                var colour = Palette.Colour(tile.Pixels[y * tile.Width + x], tile.Maximum);
                var at = 3 * ((top + y) * width + left + x);
                (_rgb[at], _rgb[at + 1], _rgb[at + 2]) = colour;
            }
        }
        _placed[index] = true;
    }

    private static int Edge(int position, int pixels, int tiles) => (int)((long)position * pixels / tiles);
}

/// <summary>Colours for escape times: night blue far away, through ice and gold to ember at the border, black inside the set.</summary>
public static class Palette
{
    /// <summary>Grey levels below this mean "not a point that escapes" or the very first step; the kernel starts its scale here.</summary>
    private const double Darkest = 40 / 255.0;

    private static readonly (double At, byte R, byte G, byte B)[] Stops =
    [
        (0.00, 4, 7, 42), (0.14, 12, 48, 130), (0.26, 40, 130, 215), (0.36, 222, 244, 250),
        (0.46, 255, 200, 70), (0.58, 216, 88, 24), (0.74, 100, 16, 50), (1.00, 24, 4, 30),
    ];

    /// <summary>Colour of a grey value between 0 (inside the set) and <paramref name="maximum"/>.</summary>
    public static (byte R, byte G, byte B) Colour(int value, int maximum)
    {
        if (value <= 0)
            return (0, 0, 0);
        var t = Math.Clamp(((double)value / maximum - Darkest) / (1 - Darkest), 0, 1);
        var i = 1;
        while (Stops[i].At < t)
            i++;
        var (a, b) = (Stops[i - 1], Stops[i]);
        var s = (t - a.At) / (b.At - a.At);
        return (Mix(a.R, b.R, s), Mix(a.G, b.G, s), Mix(a.B, b.B, s));
    }

    private static byte Mix(byte from, byte to, double s) => (byte)Math.Round(from + (to - from) * s);
}
