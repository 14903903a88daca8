using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Application.Identity;

/// <summary>Under what a wrong login is counted.</summary>
/// <param name="Name">
/// What was given as user, hashed (people type passwords there). Not the account behind it: that would tell whose address an e-mail is, and that
/// a name is unknown.
/// </param>
/// <param name="Peer">Address it came from, an IPv6 one by its /64 (one household, one customer); null where that is not known.</param>
public sealed record LoginKeys(string Name, string? Peer)
{
    public static LoginKeys Of(string login, string? peer) =>
        new("name:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Normal(login)))), peer is null ? null : "peer:" + peer);

    /// <summary>Names and addresses are the same whatever their case.</summary>
    public static string Normal(string login) => login.Trim().ToLowerInvariant();

    public static string PeerOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
            return address.ToString();
        return new IPAddress([.. address.GetAddressBytes().Take(8), .. new byte[8]]) + "/64";
    }
}

/// <summary>Where a request comes from; set by the edge.</summary>
public sealed class ClientContext
{
    /// <summary>See <see cref="LoginKeys.PeerOf"/>.</summary>
    public string? Peer { get; set; }

    /// <summary>User-Agent, at most 200 characters.</summary>
    public string? Agent { get; set; }
}
