using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using FogCompute.Cli.Demo;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class PictureTests
{
    [Test]
    public void Crc_has_the_published_check_value() => Assert.That(Png.Crc32("123456789"u8), Is.EqualTo(0xCBF43926));

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public Property Png_decodes_to_the_pixels_that_went_in()
    {
        var cases = from width in Gen.Choose(1, 40)
                    from height in Gen.Choose(1, 20)
                    from smooth in Gen.Elements(true, false)
                    from seed in Gen.Choose(0, int.MaxValue)
                    select (width, height, smooth, seed);
        return Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var rgb = new byte[3 * c.width * c.height];
            if (c.smooth)
            {
                for (var i = 0; i < rgb.Length; i++)
                    rgb[i] = (byte)(i / 3 + i % 3 * c.seed);
            }
            else
            {
                new Random(c.seed).NextBytes(rgb);
            }
            using var file = new MemoryStream();
            Png.Write(file, c.width, c.height, rgb);
            var (width, height, decoded) = Decode(file.ToArray());
            return width == c.width && height == c.height && decoded.AsSpan().SequenceEqual(rgb);
        });
    }

    [Test]
    public void Png_refuses_pixels_of_the_wrong_size() =>
        Assert.That(() => Png.Write(Stream.Null, 2, 2, new byte[11]), Throws.ArgumentException);

    [Test]
    public void Mosaic_puts_every_tile_at_its_place_also_where_tiles_differ_in_size()
    {
        // 5 × 3 pixels in 2 × 2 tiles: widths 2 and 3, heights 1 and 2.
        var mosaic = new Mosaic(5, 3, 2, 2);
        int[,] sizes = { { 2, 1 }, { 3, 1 }, { 2, 2 }, { 3, 2 } };
        for (var i = 3; i >= 0; i--)
        {
            Assert.That(mosaic.Missing, Does.Contain(i));
            mosaic.Place(i, new Pgm(sizes[i, 0], sizes[i, 1], 255, [.. Enumerable.Repeat((ushort)(60 + 50 * i), sizes[i, 0] * sizes[i, 1])]));
        }
        Assert.That(mosaic.Missing, Is.Empty);
        int[] owner = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 2, 2, 3, 3, 3];
        for (var i = 0; i < owner.Length; i++)
        {
            var (r, g, b) = Palette.Colour(60 + 50 * owner[i], 255);
            Assert.That(mosaic.Rgb.Slice(3 * i, 3).ToArray(), Is.EqualTo(new[] { r, g, b }), $"pixel {i}");
        }
    }

    [Test]
    public void Mosaic_refuses_a_tile_that_would_leave_a_gap()
    {
        var mosaic = new Mosaic(4, 4, 2, 2);
        Assert.That(() => mosaic.Place(0, new Pgm(1, 2, 255, [1, 2])), Throws.TypeOf<FormatException>().With.Message.Contains("Tile 0"));
        Assert.That(() => mosaic.Place(4, new Pgm(2, 2, 255, new ushort[4])), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(mosaic.Missing.Count(), Is.EqualTo(4));
    }

    [Test]
    public void Pgm_reads_one_and_two_byte_pixels_and_comments()
    {
        var small = Pgm.Parse([.. "P5\n# made by hand\n2 1\n255\n"u8, 7, 200]);
        Assert.That((small.Width, small.Height, small.Maximum), Is.EqualTo((2, 1, 255)));
        Assert.That(small.Pixels, Is.EqualTo(new ushort[] { 7, 200 }));
        Assert.That(Pgm.Parse([.. "P5 1 1 1000\n"u8, 0x01, 0x02]).Pixels, Is.EqualTo(new ushort[] { 258 }));
    }

    [TestCase("P6 1 1 255\nxxx"), TestCase("P5 2 2 255\nxxx"), TestCase("P5 2 2 255\nxxxxx"), TestCase("P5 0 2 255\n"), TestCase("P5 -1 2 255\n"), TestCase("P5 1"), TestCase("")]
    public void Pgm_refuses_anything_else(string file) => Assert.That(() => Pgm.Parse(Encoding.ASCII.GetBytes(file)), Throws.TypeOf<FormatException>());

    [Test]
    public void Palette_keeps_the_set_black_and_never_jumps()
    {
        Assert.That(Palette.Colour(0, 255), Is.EqualTo(((byte)0, (byte)0, (byte)0)));
        var previous = Palette.Colour(40, 255);
        for (var v = 41; v <= 255; v++)
        {
            var now = Palette.Colour(v, 255);
            Assert.That(Math.Abs(now.R - previous.R) + Math.Abs(now.G - previous.G) + Math.Abs(now.B - previous.B), Is.LessThan(24), $"at {v}");
            previous = now;
        }
    }

    /// <summary>An independent reading of the standard: signature, chunk CRCs, inflate, undo the filters.</summary>
    private static (int Width, int Height, byte[] Rgb) Decode(byte[] file)
    {
        Assert.That(file[..8], Is.EqualTo(new byte[] { 137, 80, 78, 71, 13, 10, 26, 10 }));
        var (at, width, height) = (8, 0, 0);
        using var data = new MemoryStream();
        var order = new List<string>();
        while (at < file.Length)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            var type = Encoding.ASCII.GetString(file, at + 4, 4);
            var body = file.AsSpan(at + 8, length);
            Assert.That(BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)), Is.EqualTo(BitwiseCrc(file.AsSpan(at + 4, length + 4))), type);
            order.Add(type);
            if (type == "IHDR")
            {
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(body), BinaryPrimitives.ReadInt32BigEndian(body[4..]));
                Assert.That(body[8..].ToArray(), Is.EqualTo(new byte[] { 8, 2, 0, 0, 0 }));
            }
            else if (type == "IDAT")
            {
                data.Write(body);
            }
            at += 12 + length;
        }
        Assert.That(order, Is.EqualTo(new[] { "IHDR", "IDAT", "IEND" }));
        data.Position = 0;
        using var inflated = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionMode.Decompress))
            zlib.CopyTo(inflated);
        var (raw, stride) = (inflated.ToArray(), 3 * width);
        Assert.That(raw, Has.Length.EqualTo((stride + 1) * height));
        var rgb = new byte[stride * height];
        for (var y = 0; y < height; y++)
        {
            var filter = raw[y * (stride + 1)];
            for (var x = 0; x < stride; x++)
            {
                var left = x >= 3 ? rgb[y * stride + x - 3] : 0;
                var up = y > 0 ? rgb[(y - 1) * stride + x] : 0;
                rgb[y * stride + x] = (byte)(raw[y * (stride + 1) + 1 + x] + filter switch { 0 => 0, 1 => left, 2 => up, _ => throw new FormatException($"filter {filter}") });
            }
        }
        return (width, height, rgb);
    }

    private static uint BitwiseCrc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var feedback = ((crc ^ (uint)(b >> bit)) & 1) != 0;
                crc = feedback ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }
        return ~crc;
    }
}
