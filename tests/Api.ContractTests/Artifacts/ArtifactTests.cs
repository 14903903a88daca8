using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Artifacts;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Artifacts;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Artifacts;

public sealed class ArtifactTests
{
    private const int Limit = 4 << 20;

    private ApiServer _server = null!;
    private HttpClient _alice = null!;
    private HttpClient _bob = null!;
    private Guid _aliceId;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync([$"--FOG_ARTIFACT_MAX_BYTES={Limit}"]);
        (_aliceId, _alice, _) = await _server.NewMemberAsync("alice");
        (_, _bob, _) = await _server.NewMemberAsync("bob");
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static (byte[] Content, string Sha, string Path) Content(int bytes)
    {
        var content = RandomNumberGenerator.GetBytes(bytes);
        var sha = Convert.ToHexStringLower(SHA256.HashData(content));
        return (content, sha, "/api/artifacts/" + sha);
    }

    private static ByteArrayContent Part(byte[] content, int from, int to, long? total = null)
    {
        var part = new ByteArrayContent(content[from..to]);
        part.Headers.ContentRange = new ContentRangeHeaderValue(from, to - 1, total ?? content.Length);
        return part;
    }

    private static async Task<HttpResponseMessage> HeadAsync(HttpClient client, string path) => await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));

    private static string? Offset(HttpResponseMessage answer) => answer.Headers.TryGetValues("Upload-Offset", out var values) ? values.Single() : null;

    private string[] FilesNamed(string sha) => Directory.GetFiles(Path.Combine(_server.Home, "artifacts"), sha + "*", SearchOption.AllDirectories);

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(3_000_000)]
    public async Task Gives_back_what_was_put_in(int size)
    {
        var (content, sha, path) = Content(size);
        using var put = await _alice.PutAsync(path, new ByteArrayContent(content));
        Assert.That(put.StatusCode, Is.EqualTo(size == 0 ? put.StatusCode : HttpStatusCode.Created), await put.Content.ReadAsStringAsync());
        using var again = await _alice.PutAsync(path, new ByteArrayContent(content));
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.OK));

        using var get = await _alice.GetAsync(path);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(await get.Content.ReadAsByteArrayAsync(), Is.EqualTo(content));
            Assert.That(get.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/octet-stream"));
            Assert.That(get.Content.Headers.ContentDisposition?.DispositionType, Is.EqualTo("attachment"));
            Assert.That(get.Headers.GetValues("X-Content-Type-Options"), Is.EqualTo(new[] { "nosniff" }));
            Assert.That(get.Headers.ETag?.Tag, Is.EqualTo($"\"{sha}\""));
        }
        using var head = await HeadAsync(_alice, path);
        Assert.That(head.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(head.Content.Headers.ContentLength, Is.EqualTo(size));
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Keeps_contents_in_a_sharded_folder_that_only_the_server_reads()
    {
        var (content, sha, path) = Content(10);
        await _alice.PutAsync(path, new ByteArrayContent(content));
        var file = FilesNamed(sha).Single();
        Assert.That(file, Is.EqualTo(Path.Combine(_server.Home, "artifacts", "blobs", sha[..2], sha[2..4], sha)));
        Assert.That(File.GetUnixFileMode(Path.GetDirectoryName(file)!), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
    }

    [Test]
    public async Task Answers_ranges_and_conditions()
    {
        var (content, sha, path) = Content(1000);
        await _alice.PutAsync(path, new ByteArrayContent(content));

        using var middle = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(100, 199) } };
        using var part = await _alice.SendAsync(middle);
        Assert.That(part.StatusCode, Is.EqualTo(HttpStatusCode.PartialContent));
        Assert.That(await part.Content.ReadAsByteArrayAsync(), Is.EqualTo(content[100..200]));
        Assert.That(part.Content.Headers.ContentRange?.ToString(), Is.EqualTo("bytes 100-199/1000"));

        using var beyond = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(1000, 1001) } };
        using var none = await _alice.SendAsync(beyond);
        Assert.That(none.StatusCode, Is.EqualTo(HttpStatusCode.RequestedRangeNotSatisfiable));

        using var known = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { IfNoneMatch = { new EntityTagHeaderValue($"\"{sha}\"") } } };
        using var same = await _alice.SendAsync(known);
        Assert.That(same.StatusCode, Is.EqualTo(HttpStatusCode.NotModified));
    }

    [Test]
    public async Task Keeps_nothing_of_a_content_with_another_hash()
    {
        var (content, sha, path) = Content(1000);
        content[17] ^= 1;
        using var put = await _alice.PutAsync(path, new ByteArrayContent(content));
        await put.ProblemAsync(422, "artifacts.hash_mismatch");
        Assert.That(FilesNamed(sha), Is.Empty);
        using var get = await _alice.GetAsync(path);
        await get.ProblemAsync(404, "artifacts.not_found");
    }

    [Test]
    public async Task Continues_an_upload_in_parts()
    {
        var (content, _, path) = Content(300_000);
        using var first = await _alice.PutAsync(path, Part(content, 0, 100_000));
        Assert.That(first.StatusCode, Is.EqualTo(HttpStatusCode.Accepted));
        Assert.That(Offset(first), Is.EqualTo("100000"));

        using var asked = await HeadAsync(_alice, path);
        Assert.That((int)asked.StatusCode, Is.EqualTo(404));
        Assert.That(Offset(asked), Is.EqualTo("100000"));
        using var stranger = await HeadAsync(_bob, path);
        Assert.That(Offset(stranger), Is.EqualTo("0"), "an unfinished upload is its uploader's own");

        using var wrong = await _alice.PutAsync(path, Part(content, 100_001, 300_000));
        await wrong.ProblemAsync(409, "artifacts.offset_mismatch");
        Assert.That(Offset(wrong), Is.EqualTo("100000"));

        using var rest = await _alice.PutAsync(path, Part(content, 100_000, 300_000));
        Assert.That(rest.StatusCode, Is.EqualTo(HttpStatusCode.Created), await rest.Content.ReadAsStringAsync());
        Assert.That(await _alice.GetByteArrayAsync(path), Is.EqualTo(content));
    }

    [Test]
    public async Task Keeps_what_arrived_before_the_line_broke()
    {
        var (content, _, path) = Content(400_000);
        var (_, client, secret) = await _server.NewMemberAsync("broken-line");
        using (var line = new TcpClient())
        {
            await line.ConnectAsync(IPAddress.Loopback, _server.Url.Port);
            var stream = line.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nContent-Length: {content.Length}\r\n\r\n"));
            await stream.WriteAsync(content.AsMemory(0, 250_000));
            await stream.FlushAsync();
            // Wait until the server has it all, then hang up in the middle.
            for (var i = 0; i < 3_000 && Offset(await HeadAsync(client, path)) != "250000"; i++)
                await Task.Delay(20);
        }
        Assert.That(Offset(await HeadAsync(client, path)), Is.EqualTo("250000"));
        HttpResponseMessage rest;
        do
        {
            await Task.Delay(20);
            rest = await client.PutAsync(path, Part(content, 250_000, 400_000));
        }
        while (rest.StatusCode == HttpStatusCode.Conflict && Offset(rest) is null); // the broken request still holds the file for a moment
        Assert.That(rest.StatusCode, Is.EqualTo(HttpStatusCode.Created), await rest.Content.ReadAsStringAsync());
        Assert.That(await client.GetByteArrayAsync(path), Is.EqualTo(content));
    }

    [Test]
    public async Task Notices_a_wrong_hash_after_a_continued_upload()
    {
        var (content, sha, path) = Content(2000);
        var other = (byte[])content.Clone();
        other[5] ^= 1;
        await _alice.PutAsync(path, Part(other, 0, 1000));
        using var rest = await _alice.PutAsync(path, Part(content, 1000, 2000));
        await rest.ProblemAsync(422, "artifacts.hash_mismatch");
        Assert.That(FilesNamed(sha), Is.Empty);
    }

    [TestCase("bytes 0-9/*")]
    [TestCase("bytes */10")]
    [TestCase("items 0-9/10")]
    [TestCase("bytes 5-4/10")]
    [TestCase("bytes 0-7/10")]
    [TestCase("nonsense")]
    public async Task Refuses_a_range_that_says_something_else_than_the_body(string range)
    {
        var (content, _, path) = Content(10);
        using var body = new ByteArrayContent(content);
        body.Headers.TryAddWithoutValidation("Content-Range", range);
        using var put = await _alice.PutAsync(path, body);
        var problem = await put.ProblemAsync(422, "artifacts.invalid_range");
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "content_range" }));
    }

    [Test]
    public async Task Refuses_more_than_the_limit_announced_or_not()
    {
        var (content, sha, path) = Content(Limit + 1);
        using var put = await _alice.PutAsync(path, new ByteArrayContent(content));
        await put.ProblemAsync(413, "artifacts.too_large");
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new StreamContent(new MemoryStream(content)), Headers = { TransferEncodingChunked = true } };
        using var chunked = await _alice.SendAsync(request);
        await chunked.ProblemAsync(413, "artifacts.too_large");
        using var part = await _alice.PutAsync(path, Part(content, 0, 10));
        await part.ProblemAsync(413, "artifacts.too_large");
        Assert.That(FilesNamed(sha).Sum(f => new FileInfo(f).Length), Is.Zero);
    }

    [Test]
    public async Task Survives_many_uploads_of_one_content_at_once()
    {
        var (content, sha, path) = Content(1_500_000);
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => (i % 2 == 0 ? _alice : _bob).PutAsync(path, new ByteArrayContent(content))));
        Assert.That(answers.Select(a => (int)a.StatusCode), Is.All.AnyOf(200, 201));
        Assert.That(answers.Count(a => (int)a.StatusCode == 201), Is.EqualTo(2), "one new grant for each of the two");
        Assert.That(await _bob.GetByteArrayAsync(path), Is.EqualTo(content));
        Assert.That(FilesNamed(sha), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Shows_nobody_the_artifacts_of_others()
    {
        var (content, _, path) = Content(100);
        await _alice.PutAsync(path, new ByteArrayContent(content));
        using var get = await _bob.GetAsync(path);
        await get.ProblemAsync(404, "artifacts.not_found");
        Assert.That((int)(await HeadAsync(_bob, path)).StatusCode, Is.EqualTo(404));

        // Knowing the hash is not having the content: an empty or wrong body under it opens nothing.
        using var claimed = await _bob.PutAsync(path, new ByteArrayContent([1, 2, 3]));
        await claimed.ProblemAsync(422, "artifacts.hash_mismatch");
        using var still = await _bob.GetAsync(path);
        await still.ProblemAsync(404, "artifacts.not_found");
        Assert.That(await _alice.GetByteArrayAsync(path), Is.EqualTo(content), "and the owner's content is untouched");
    }

    [TestCase("abc")]
    [TestCase("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    [TestCase("..%2F..%2F..%2F..%2Fetc%2Fpasswd")]
    [TestCase("g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public async Task Takes_nothing_but_a_hash_for_a_name(string name)
    {
        using var get = await _alice.GetAsync("/api/artifacts/" + name);
        var problem = await get.ProblemAsync(422, "artifacts.invalid_digest");
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "sha256" }));
    }

    [Test]
    public async Task Lets_a_device_read_inputs_and_bring_outputs_while_it_holds_the_attempt()
    {
        var (input, inputSha, inputPath) = Content(500);
        var (_, otherSha, otherPath) = Content(500);
        await _alice.PutAsync(inputPath, new ByteArrayContent(input));
        var (output, _, outputPath) = Content(600);
        var attempt = new AttemptId(Guid.CreateVersion7());
        _server.Attempts.Lease("pc-1", attempt, _aliceId, inputSha, otherSha);
        using var device = _server.NewClient(DevicesByName.Prefix + "pc-1");
        using var stranger = _server.NewClient(DevicesByName.Prefix + "pc-2");
        var live = $"?attempt={attempt}";

        Assert.That(await device.GetByteArrayAsync(inputPath + live), Is.EqualTo(input));
        await (await device.GetAsync(inputPath)).ProblemAsync(404, "artifacts.not_found");
        await (await device.GetAsync(otherPath + live)).ProblemAsync(404, "artifacts.not_found");
        await (await stranger.GetAsync(inputPath + live)).ProblemAsync(404, "artifacts.not_found");
        await (await stranger.PutAsync(outputPath + live, new ByteArrayContent(output))).ProblemAsync(404, "artifacts.not_found");
        await (await device.PutAsync(outputPath, new ByteArrayContent(output))).ProblemAsync(404, "artifacts.not_found");

        using var put = await device.PutAsync(outputPath + live, new ByteArrayContent(output));
        Assert.That(put.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        Assert.That(await _alice.GetByteArrayAsync(outputPath), Is.EqualTo(output), "the result is the requester's");
        await (await device.GetAsync(outputPath + live)).ProblemAsync(404, "artifacts.not_found");

        _server.Attempts.End("pc-1", attempt);
        await (await device.GetAsync(inputPath + live)).ProblemAsync(404, "artifacts.not_found");
        var (late, _, latePath) = Content(10);
        await (await device.PutAsync(latePath + live, new ByteArrayContent(late))).ProblemAsync(404, "artifacts.not_found");
    }

    [Test]
    public async Task Does_not_open_a_strangers_artifact_that_a_job_names_as_input()
    {
        var (content, sha, path) = Content(100);
        await _bob.PutAsync(path, new ByteArrayContent(content));
        var attempt = new AttemptId(Guid.CreateVersion7());
        _server.Attempts.Lease("pc-3", attempt, _aliceId, sha);
        using var device = _server.NewClient(DevicesByName.Prefix + "pc-3");
        await (await device.GetAsync($"{path}?attempt={attempt}")).ProblemAsync(404, "artifacts.not_found");
    }

    [Test]
    public async Task Forgets_unfinished_uploads_after_a_day()
    {
        var (content, sha, path) = Content(1000);
        var (kept, keptSha, keptPath) = Content(1000);
        await _alice.PutAsync(path, Part(content, 0, 500));
        await _alice.PutAsync(keptPath, Part(kept, 0, 500));
        File.SetLastWriteTimeUtc(FilesNamed(sha).Single(), TimeProvider.System.GetUtcNow().AddHours(-24).AddMinutes(-1).UtcDateTime);
        Assert.That(_server.Services.GetRequiredService<IArtifactStore>().DeleteStalePartials(), Is.EqualTo(1));
        Assert.That(FilesNamed(sha), Is.Empty);
        Assert.That(Offset(await HeadAsync(_alice, keptPath)), Is.EqualTo("500"));
        Assert.That(FilesNamed(keptSha), Has.Length.EqualTo(1));
    }

    [Test]
    public void Recognises_a_full_disk()
    {
        Assume.That(File.Exists("/dev/full"), "only Linux has a disk that is always full");
        using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var failure = Assert.Throws<IOException>(() => full.Write([1]));
        Assert.That(ArtifactStore.IsDiskFull(failure!), Is.True);
        Assert.That(ArtifactStore.IsDiskFull(new FileNotFoundException()), Is.False);
    }
}
