using System.Numerics;
using System.Text;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Builtin;

/// <summary>
/// One tile of the Mandelbrot set by escape time: iterate z ← z² + c until |z|² &gt; 4 or <c>max_iterations</c>; cost is at most tile pixels ×
/// max_iterations. Only IEEE 754 double + − × and one division per row and column are used, never contracted, so that replicas on any processor agree to the
/// bit. Grey is the logarithm of the iteration count in integer arithmetic, points that never escape are black.
/// </summary>
public sealed record MandelbrotTile(int Left, int Top, int Width, int Height, int ImageWidth, int ImageHeight, int MaxIterations, double CentreX, double CentreY, double Span)
{
    /// <summary>Name of the output: binary PGM (P5), 8 bit.</summary>
    public const string FileName = "tile.pgm";

    /// <summary>
    /// Tile <paramref name="index"/>, row by row, of the grid that the payload describes: <c>width</c>, <c>height</c> (whole image, pixels, default 1024),
    /// <c>columns</c>, <c>rows</c> (tiles, default 8), <c>max_iterations</c> (1000), <c>centre_x</c> (−0.65), <c>centre_y</c> (0),
    /// <c>span</c> (width of the view in the complex plane, 2.8). Throws <see cref="KernelParameterException"/>.
    /// </summary>
    public static MandelbrotTile From(PayloadSpec payload, int index)
    {
        var width = payload.Integer("width", 1024, 1, 65_536);
        var height = payload.Integer("height", 1024, 1, 65_536);
        var columns = payload.Integer("columns", 8, 1, width);
        var rows = payload.Integer("rows", 8, 1, height);
        if (index < 0 || index >= (long)columns * rows)
            throw new KernelParameterException($"Task {index} has no tile: the grid is {columns} × {rows}. Submit at most {(long)columns * rows} tasks.");
        var (row, column) = Math.DivRem(index, columns);
        int left = Edge(column, width, columns), top = Edge(row, height, rows);
        return new MandelbrotTile(
            left, top, Edge(column + 1, width, columns) - left, Edge(row + 1, height, rows) - top, width, height,
            payload.Integer("max_iterations", 1000, 1, 10_000_000),
            payload.Number("centre_x", -0.65, -4, 4), payload.Number("centre_y", 0, -4, 4), payload.Number("span", 2.8, 1e-14, 8));
    }

    /// <summary>Size of the file in bytes, known before it is computed.</summary>
    public long FileBytes => Header.Length + (long)Width * Height;

    private byte[] Header => Encoding.ASCII.GetBytes($"P5\n{Width} {Height}\n255\n");

    /// <summary>Writes the file; looks at <paramref name="stop"/> once per row.</summary>
    public void Write(Stream target, CancellationToken stop)
    {
        target.Write(Header);
        var line = new byte[Width];
        var scale = Span / ImageWidth;
        for (var y = 0; y < Height; y++)
        {
            stop.ThrowIfCancellationRequested();
            var ci = CentreY + (Top + y + 0.5 - ImageHeight * 0.5) * scale;
            for (var x = 0; x < Width; x++)
                line[x] = Shade(Escape(CentreX + (Left + x + 0.5 - ImageWidth * 0.5) * scale, ci, stop));
            target.Write(line);
        }
    }

    private static int Edge(int position, int pixels, int tiles) => (int)((long)position * pixels / tiles);

    private int Escape(double cr, double ci, CancellationToken stop)
    {
        double zr = 0, zi = 0;
        for (var n = 0; n < MaxIterations; n++)
        {
            double rr = zr * zr, ii = zi * zi;
            if (rr + ii > 4)
                return n;
            zi = (zr + zr) * zi + ci;
            zr = rr - ii + cr;
            // A single point may iterate ten million times; a row of them must still notice the stop soon.
            if ((n & 0xFFFFF) == 0xFFFFF)
                stop.ThrowIfCancellationRequested();
        }
        return MaxIterations;
    }

    private byte Shade(int iterations) =>
        iterations >= MaxIterations ? (byte)0 : (byte)(40 + 215 * LogSixteenths(iterations + 1) / Math.Max(1, LogSixteenths(MaxIterations)));

    // Sixteenths of log2, linear between powers of two.
    private static int LogSixteenths(int n)
    {
        var power = BitOperations.Log2((uint)n);
        return power * 16 + (int)(((long)n << 4 >> power) & 15);
    }
}
