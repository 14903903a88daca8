using System.Globalization;
using System.Net;

namespace FogCompute.Api.Http;

/// <summary>Which names this server answers to, whose word about clients it takes, and how much it takes on at once.</summary>
public sealed record EdgeSettings
{
    /// <summary><c>FOG_HOSTS</c>: names in the <c>Host</c> header, besides the loopback names, this machine's own and addresses; <c>*</c> for any.</summary>
    public required IReadOnlySet<string> Hosts { get; init; }

    public bool AnyHost => Hosts.Contains("*");

    /// <summary><c>FOG_TRUSTED_PROXIES</c>: addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed; none by default.</summary>
    public required IReadOnlyList<IPNetwork> TrustedProxies { get; init; }

    /// <summary><c>FOG_MAX_CONNECTIONS</c>: open connections, WebSockets not counted.</summary>
    public required int MaxConnections { get; init; }

    /// <summary><c>FOG_MAX_WEBSOCKETS</c>: open WebSockets.</summary>
    public required int MaxWebSockets { get; init; }

    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static EdgeSettings Read(IConfiguration settings)
    {
        var hosts = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "localhost", Environment.MachineName };
        foreach (var host in List(settings, "FOG_HOSTS"))
        {
            if (host != "*" && Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6))
                throw new ConfigurationException($"FOG_HOSTS contains '{host}'; allowed are host names without scheme and port, separated by commas, or * for any.");
            hosts.Add(host);
        }
        return new EdgeSettings
        {
            Hosts = hosts,
            TrustedProxies = [.. List(settings, "FOG_TRUSTED_PROXIES").Select(Network)],
            MaxConnections = Number(settings, "FOG_MAX_CONNECTIONS", 20_000),
            MaxWebSockets = Number(settings, "FOG_MAX_WEBSOCKETS", 20_000),
        };
    }

    /// <summary>Addresses are no names: a page elsewhere cannot make one point here, which is what the filter is against.</summary>
    public bool Accepts(HostString host) => !host.HasValue || AnyHost || Hosts.Contains(host.Host) || IPAddress.TryParse(host.Host.Trim('[', ']'), out _);

    private static IPNetwork Network(string text) =>
        IPNetwork.TryParse(text, out var network) ? network
        : IPAddress.TryParse(text, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : throw new ConfigurationException($"FOG_TRUSTED_PROXIES contains '{text}'; allowed are IP addresses and networks (10.0.0.0/8), separated by commas.");

    private static string[] List(IConfiguration settings, string key) => (settings[key] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static int Number(IConfiguration settings, string key, int normal)
    {
        var text = settings[key] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
        if (text is null)
            return normal;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 1_000_000
            ? number
            : throw new ConfigurationException($"{key} is '{text}'; allowed is a whole number from 1 to 1000000.");
    }
}
