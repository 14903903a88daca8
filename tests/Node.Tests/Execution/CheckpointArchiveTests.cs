using System.Formats.Tar;
using System.Text;
using FogCompute.Node.Execution.Outputs;

namespace FogCompute.Node.Tests.Execution;

[TestFixture]
public sealed class CheckpointArchiveTests
{
    private const long Plenty = 1 << 20;
    private string _root = null!;

    private string Work => Path.Combine(_root, "work");
    private string Kept => Path.Combine(Work, "state", "kept");
    private string Archive => Path.Combine(_root, "archive");
    private string Target => Path.Combine(_root, "elsewhere", "kept");

    [SetUp]
    public void SetUp()
    {
        _root = Directory.CreateTempSubdirectory("fog-checkpoint").FullName;
        Directory.CreateDirectory(Kept);
    }

    [TearDown]
    public void TearDown() => WorkFolders.Remove(_root);

    private Task Pack(long most = Plenty, string? archive = null) => CheckpointArchive.PackAsync(Work, "state/kept", archive ?? Archive, most, CancellationToken.None);

    private Task Restore(long most = Plenty) => CheckpointArchive.RestoreAsync(Archive, Target, most, CancellationToken.None);

    private static string Write(string folder, string path, string text)
    {
        var file = Path.Combine(folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    private static Dictionary<string, string> Content(string folder) => Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
        .ToDictionary(e => Path.GetRelativePath(folder, e), e => Directory.Exists(e) ? "/" : $"{(IsProgram(e) ? "x" : "-")} {File.ReadAllText(e)}");

    private static bool IsProgram(string file) => Transport.Make.Mode(file).HasFlag(UnixFileMode.UserExecute);

    [Test]
    public async Task A_folder_comes_back_as_it_was()
    {
        Write(Kept, "count", "42");
        Write(Kept, "deep/er/ä 😀", new string('x', 5000));
        Write(Kept, string.Join('/', Enumerable.Repeat(new string('n', 90), 6)) + "/end", "far");
        Write(Kept, "empty", "");
        Directory.CreateDirectory(Path.Combine(Kept, "nothing in it"));
        ExecutionBench.WriteProgram(Path.Combine(Kept, "program"), "#!/bin/sh\n");
        await Pack();
        Write(Target, "count", "of another attempt");
        Write(Target, "stale", "goes");
        await Restore();
        Assert.That(Content(Target), Is.EqualTo(Content(Kept)));
        Assert.That(Content(Target)["program"], Does.StartWith("x"));
    }

    [Test]
    public async Task Equal_folders_make_equal_archives()
    {
        foreach (var name in (string[])["b", "a", "c/d", new string('l', 200)])
            Write(Kept, name, name);
        await Pack();
        foreach (var file in Directory.EnumerateFiles(Kept, "*", SearchOption.AllDirectories).ToList())
        {
            var text = File.ReadAllText(file);
            File.Delete(file);
            File.WriteAllText(file, text);
            File.SetLastWriteTimeUtc(file, new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        }
        var second = Path.Combine(_root, "second");
        await Pack(archive: second);
        Assert.That(File.ReadAllBytes(second), Is.EqualTo(File.ReadAllBytes(Archive)));
    }

    [Test]
    public void What_is_not_a_file_or_a_folder_is_refused_and_never_followed()
    {
        var secret = Write(_root, "secret", "of the agent");
        File.CreateSymbolicLink(Path.Combine(Kept, "link"), secret);
        Assert.That(() => Pack(), Throws.TypeOf<CheckpointException>().With.Message.Contains("'link'"));
    }

    [Test]
    public void The_folder_itself_must_be_one_all_the_way()
    {
        Directory.Move(Path.Combine(Work, "state"), Path.Combine(_root, "outside"));
        File.CreateSymbolicLink(Path.Combine(Work, "state"), Path.Combine(_root, "outside"));
        Assert.That(() => Pack(), Throws.TypeOf<CheckpointException>().With.Message.Contains("state/kept"));
        File.Delete(Path.Combine(Work, "state"));
        Assert.That(() => Pack(), Throws.TypeOf<CheckpointException>());
    }

    [Test]
    public async Task Neither_way_takes_more_than_the_limit()
    {
        Write(Kept, "large", new string('x', 100_000));
        Assert.That(() => Pack(most: 100_000), Throws.TypeOf<CheckpointException>().With.Message.Contains("limits.disk_bytes"));
        await Pack(most: 110_000);
        Assert.That(() => Restore(most: 100_000), Throws.TypeOf<CheckpointException>());
    }

    private static readonly TarEntry[] Hostile =
    [
        new GnuTarEntry(TarEntryType.SymbolicLink, "link") { LinkName = "/etc" },
        new GnuTarEntry(TarEntryType.HardLink, "hard") { LinkName = "/etc/passwd" },
        new GnuTarEntry(TarEntryType.CharacterDevice, "null") { DeviceMajor = 1, DeviceMinor = 3 },
        new GnuTarEntry(TarEntryType.BlockDevice, "disk") { DeviceMajor = 8 },
        new GnuTarEntry(TarEntryType.Fifo, "pipe"),
        new PaxTarEntry(TarEntryType.RegularFile, "pax"),
        FileAt("../escape"), FileAt("/tmp/fog-hostile-absolute"), FileAt("a/../../escape"), FileAt("a//b"), FileAt("./a"), FileAt("back\\slash"), FileAt("deep/" + new string('x', 2000)),
        new GnuTarEntry(TarEntryType.Directory, "../folder/"),
    ];

    private static GnuTarEntry FileAt(string path) => new(TarEntryType.RegularFile, path) { DataStream = new MemoryStream("owned"u8.ToArray()) };

    [Test]
    public async Task A_hostile_archive_makes_nothing_outside_and_is_refused([Range(0, 13)] int which)
    {
        await using (var writer = new TarWriter(File.Create(Archive), TarEntryFormat.Gnu))
        {
            if (Hostile[which].DataStream is { } data)
                data.Position = 0;
            await writer.WriteEntryAsync(Hostile[which]);
        }
        Assert.That(() => Restore(), Throws.TypeOf<CheckpointException>());
        Assert.That(Directory.EnumerateFileSystemEntries(_root).Select(Path.GetFileName), Is.EquivalentTo(new[] { "work", "archive", "elsewhere" }));
        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(_root, "elsewhere")).Select(Path.GetFileName), Is.EquivalentTo(new[] { "kept" }));
        Assert.That(File.Exists("/tmp/fog-hostile-absolute"), Is.False);
    }

    [Test]
    public async Task Entries_at_the_same_place_are_refused()
    {
        foreach (var (first, second) in new[] { ("a", "a"), ("a", "a/b") })
        {
            await using (var writer = new TarWriter(File.Create(Archive), TarEntryFormat.Gnu))
                foreach (var path in (string[])[first, second])
                    await writer.WriteEntryAsync(new GnuTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream([1]) });
            Assert.That(() => Restore(), Throws.TypeOf<CheckpointException>().With.Message.Contains("same place"), second);
        }
    }

    [TestCase("text", TestName = "Malformed: no archive")]
    [TestCase("cut", TestName = "Malformed: cut off")]
    [TestCase("huge", TestName = "Malformed: a size beyond the archive")]
    [TestCase("binary", TestName = "Malformed: a size that is not octal")]
    [TestCase("nameless", TestName = "Malformed: a file without a name")]
    [TestCase("empty", TestName = "Malformed: nothing at all")]
    public async Task A_malformed_archive_is_refused(string how)
    {
        Write(Kept, "count", new string('x', 3000));
        await Pack();
        var bytes = await File.ReadAllBytesAsync(Archive);
        switch (how)
        {
            case "text": bytes = [.. Enumerable.Repeat((byte)'x', 2048)]; break;
            case "cut": bytes = bytes[..2000]; break;
            case "huge": Encoding.ASCII.GetBytes("77777777777").CopyTo(bytes, 124); break;
            case "binary": bytes[124] = 0x80; break;
            case "nameless": Array.Clear(bytes, 0, 100); break;
            default: bytes = []; break;
        }
        await File.WriteAllBytesAsync(Archive, bytes);
        Assert.That(() => Restore(), Throws.TypeOf<CheckpointException>());
    }
}
