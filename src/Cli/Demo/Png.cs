using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace FogCompute.Cli.Demo;

/// <summary>
/// Writes 8-bit RGB pictures as PNG (ISO/IEC 15948). Each row gets the filter (None, Sub or Up) with the smallest sum of absolute
/// differences, the heuristic the standard recommends in its section on filter selection; the rows are then one zlib stream in one IDAT chunk.
/// </summary>
public static class Png
{
    private const int BytesPerPixel = 3;
    private static readonly uint[] CrcTable = BuildCrcTable();

    /// <summary>The eight bytes every PNG starts with.</summary>
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Writes the picture.</summary>
    /// <param name="rgb">Row by row from the top, three bytes per pixel: 3 × width × height bytes.</param>
    public static void Write(Stream target, int width, int height, ReadOnlySpan<byte> rgb)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if (rgb.Length != (long)BytesPerPixel * width * height)
            throw new ArgumentException($"{width} × {height} pixels take {(long)BytesPerPixel * width * height} bytes, not {rgb.Length}.", nameof(rgb));
        target.Write(Signature);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8; // bits per channel
        header[9] = 2; // truecolour
        WriteChunk(target, "IHDR", header);
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Optimal, leaveOpen: true))
            WriteRows(zlib, width, height, rgb);
        WriteChunk(target, "IDAT", data.GetBuffer().AsSpan(0, (int)data.Length));
        WriteChunk(target, "IEND", []);
    }

    /// <summary>CRC-32 as PNG, zip and Ethernet use it (reflected polynomial EDB88320).</summary>
    public static uint Crc32(params ReadOnlySpan<byte> bytes) => ~Update(0xFFFFFFFF, bytes);

    private static void WriteRows(Stream zlib, int width, int height, ReadOnlySpan<byte> rgb)
    {
        var stride = width * BytesPerPixel;
        // Index = the filter's number in the standard.
        byte[][] candidates = [new byte[stride + 1], new byte[stride + 1], new byte[stride + 1]];
        var above = new byte[stride].AsSpan();
        for (var y = 0; y < height; y++)
        {
            var row = rgb.Slice(y * stride, stride);
            Span<long> cost = [0, 0, 0];
            for (var x = 0; x < stride; x++)
            {
                var left = x >= BytesPerPixel ? row[x - BytesPerPixel] : (byte)0;
                var up = y > 0 ? rgb[(y - 1) * stride + x] : above[x];
                Span<byte> filtered = [row[x], (byte)(row[x] - left), (byte)(row[x] - up)];
                for (var f = 0; f < filtered.Length; f++)
                {
                    candidates[f][x + 1] = filtered[f];
                    cost[f] += Math.Abs((int)(sbyte)filtered[f]);
                }
            }
            var best = cost[1] < cost[0] ? 1 : 0;
            if (cost[2] < cost[best])
                best = 2;
            candidates[best][0] = (byte)best;
            zlib.Write(candidates[best]);
        }
    }

    private static void WriteChunk(Stream target, string type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        target.Write(number);
        var name = Encoding.ASCII.GetBytes(type);
        target.Write(name);
        target.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Update(Update(0xFFFFFFFF, name), data));
        target.Write(number);
    }

    private static uint Update(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
            crc = CrcTable[(crc ^ b) & 0xFF] ^ (crc >> 8);
        return crc;
    }

    private static uint[] BuildCrcTable()
    {
        var table = new uint[256];
        for (uint n = 0; n < table.Length; n++)
        {
            var c = n;
            for (var bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
        return table;
    }
}
