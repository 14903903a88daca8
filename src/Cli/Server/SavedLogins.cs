using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Server;

/// <summary>What <c>fog login</c> keeps of one control plane.</summary>
public sealed record SavedLogin(string Username, string AccessToken, DateTimeOffset ExpiresAt, string RefreshToken);

/// <summary>
/// Logins by address of the control plane, in <c>logins.json</c> of FOG_HOME, readable by its owner only. A token is never sent to another
/// address than the one that gave it.
/// </summary>
public sealed class SavedLogins(CliHost host)
{
    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(30);
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public string File => Path.Combine(host.FogHome, "logins.json");
    public TimeProvider Time => host.Time;

    public SavedLogin? Find(Uri server) => Read().GetValueOrDefault(KeyOf(server));

    public void Save(Uri server, SavedLogin login)
    {
        var all = Read();
        all[KeyOf(server)] = login;
        Write(all);
    }

    public void Remove(Uri server)
    {
        var all = Read();
        if (all.Remove(KeyOf(server)))
            Write(all);
    }

    /// <summary>Keeps other fog commands of this home away from the logins: a refresh token is good once.</summary>
    public async Task<IDisposable> LockAsync(CancellationToken cancel)
    {
        MakeHome();
        var started = host.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(File + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (host.Time.GetElapsedTime(started) < LockLimit)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), host.Time, cancel);
            }
        }
    }

    private static string KeyOf(Uri server) => server.GetLeftPart(UriPartial.Authority);

    private Dictionary<string, SavedLogin> Read()
    {
        if (!System.IO.File.Exists(File))
            return new Dictionary<string, SavedLogin>(StringComparer.Ordinal);
        try
        {
            return new Dictionary<string, SavedLogin>(JsonSerializer.Deserialize<Dictionary<string, SavedLogin>>(System.IO.File.ReadAllText(File), Format)!, StringComparer.Ordinal);
        }
        catch (JsonException broken)
        {
            throw new CliException(ExitCodes.Error, $"{File} cannot be read: {broken.Message}", "Delete it and log in again: fog login");
        }
    }

    private void Write(Dictionary<string, SavedLogin> all)
    {
        MakeHome();
        var part = File + ".part";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        System.IO.File.Delete(part);
        using (var file = new FileStream(part, options))
            JsonSerializer.Serialize(file, all, Format);
        System.IO.File.Move(part, File, overwrite: true);
    }

    private void MakeHome() => Directory.CreateDirectory(host.FogHome);
}

/// <summary>Puts the access token of a saved login on every request and exchanges it for the next one shortly before it expires.</summary>
internal sealed class SavedLoginHandler(SavedLogins logins, Uri server, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(60);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (await TokenAsync(cancellationToken) is { } token)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await base.SendAsync(request, cancellationToken);
    }

    private async Task<string?> TokenAsync(CancellationToken cancel)
    {
        if (logins.Find(server) is not { } login)
            return null;
        if (IsFresh(login))
            return login.AccessToken;
        using var hold = await logins.LockAsync(cancel);
        // Another command may have done it, or logged out, in the meantime.
        if (logins.Find(server) is not { } latest)
            return null;
        return IsFresh(latest) ? latest.AccessToken : await RefreshAsync(latest, cancel);
    }

    private bool IsFresh(SavedLogin login) => login.ExpiresAt - logins.Time.GetUtcNow() > Early;

    private async Task<string> RefreshAsync(SavedLogin login, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server, "/api/auth/refresh"))
        {
            Content = new StringContent(new JsonObject { ["refresh_token"] = login.RefreshToken }.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        using var answer = await base.SendAsync(request, cancel);
        if (answer.StatusCode == HttpStatusCode.Unauthorized)
        {
            logins.Remove(server);
            throw new CliException(ExitCodes.Auth, $"The login of {login.Username} at {server} has ended.", "Log in again: fog login");
        }
        if (!answer.IsSuccessStatusCode)
            throw new CliException(ExitCodes.Unreachable, $"The login of {login.Username} could not be renewed (HTTP {(int)answer.StatusCode}).", "Try again in a moment.");
        var next = LoginAnswer.Read(JsonNode.Parse(await answer.Content.ReadAsStringAsync(cancel)), login.Username, logins.Time.GetUtcNow());
        logins.Save(server, next);
        return next.AccessToken;
    }
}

/// <summary>The answer of a login or a refresh.</summary>
internal static class LoginAnswer
{
    public static SavedLogin Read(JsonNode? tokens, string username, DateTimeOffset now) =>
        tokens.Text("access_token") is { } access && tokens.Text("refresh_token") is { } refresh && tokens.Integer("expires_in") is { } seconds
            ? new SavedLogin(username, access, now.AddSeconds(seconds), refresh)
            : throw new CliException(ExitCodes.Error, "The control plane's answer holds no tokens.", "Check the address: --server URL or FOG_SERVER");
}
