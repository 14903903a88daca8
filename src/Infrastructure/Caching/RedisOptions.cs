using System.Globalization;
using System.Net;
using System.Security.Authentication;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;

namespace FogCompute.Infrastructure.Caching;

/// <summary>REDIS_URL: <c>redis://[:password@]host[:port][/database]</c>, <c>rediss://</c> for TLS.</summary>
/// <param name="Database">Number of the database, 0 when none is named. One pool has one: keys and signals carry it.</param>
public sealed record RedisOptions(string Host, int Port, string? Password, int Database, bool Tls)
{
    private const int UsualPort = 6379;

    /// <summary>Longest that anybody waits for an answer before going on without.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>For people: where it is, without secrets.</summary>
    public string Description => $"{Host}:{Port}/{Database}";

    /// <summary>Null when REDIS_URL is not set.</summary>
    /// <exception cref="InvalidOperationException">It cannot be used; the message says why and never shows the password.</exception>
    public static RedisOptions? From(IConfiguration configuration) => configuration["REDIS_URL"] is { } url && !string.IsNullOrWhiteSpace(url) ? Parse(url.Trim()) : null;

    internal static RedisOptions Parse(string url)
    {
        var separator = url.IndexOf("://", StringComparison.Ordinal);
        if (separator < 0 || url[..separator].ToLowerInvariant() is not ("redis" or "rediss"))
            throw Refuse(separator < 0 ? "is not a URL" : $"starts with '{url[..separator]}://'");
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
            throw Refuse("names no host, or a host or port that cannot be");
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
            throw Refuse("has parameters after a '?' or '#'; none is known");
        var login = uri.UserInfo.Split(':', 2);
        // The client logs in by password alone; with a user's name it would log in as somebody else.
        if (login[0] is not ("" or "default"))
            throw Refuse($"names the user '{Uri.UnescapeDataString(login[0])}'; this client logs in as the default user, with a password only");
        var path = uri.AbsolutePath.Trim('/');
        var database = 0;
        if (path.Length > 0 && !int.TryParse(path, NumberStyles.None, CultureInfo.InvariantCulture, out database))
            throw Refuse($"names the database '{path}'; allowed is a number from 0");
        var password = login.Length == 2 && login[1].Length > 0 ? Uri.UnescapeDataString(login[1]) : null;
        return new RedisOptions(uri.DnsSafeHost, uri.Port <= 0 ? UsualPort : uri.Port, password, database, uri.Scheme == "rediss");
    }

    internal ConfigurationOptions ToConfiguration()
    {
        var configuration = new ConfigurationOptions
        {
            // Connecting again is this process's own business (RedisConnection), so that an attempt ends in a connection or a failure.
            AbortOnConnectFail = true, ConnectRetry = 1, ConnectTimeout = 2 * (int)Patience.TotalMilliseconds, SyncTimeout = (int)Patience.TotalMilliseconds,
            Password = Password, DefaultDatabase = Database, ClientName = "fogcompute", Ssl = Tls, KeepAlive = 10,
        };
        if (Tls)
            (configuration.SslHost, configuration.SslProtocols) = (Host, SslProtocols.Tls12 | SslProtocols.Tls13);
        configuration.EndPoints.Add(IPAddress.TryParse(Host, out var address) ? new IPEndPoint(address, Port) : new DnsEndPoint(Host, Port));
        return configuration;
    }

    private static InvalidOperationException Refuse(string what) =>
        new($"REDIS_URL {what}. Write it as redis://:password@host:6379/0 (TLS: rediss://), percent-encode special characters, or unset it to work without Redis.");
}
