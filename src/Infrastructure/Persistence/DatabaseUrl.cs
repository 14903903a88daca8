using System.Globalization;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>
/// Reads DATABASE_URL: <c>postgresql://user:password@host:port/database?parameter=value</c> as libpq defines it (also <c>postgres://</c> and the
/// <c>postgresql+driver://</c> of other ecosystems), or an Npgsql connection string (<c>Host=…;Database=…</c>).
/// </summary>
public static class DatabaseUrl
{
    /// <summary>Names of libpq's parameters in Npgsql's words; names that Npgsql knows itself are taken as they are.</summary>
    private static readonly Dictionary<string, string> Parameters = new(StringComparer.OrdinalIgnoreCase)
    {
        ["host"] = "Host",
        ["port"] = "Port",
        ["user"] = "Username",
        ["password"] = "Password",
        ["dbname"] = "Database",
        ["database"] = "Database",
        ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name",
        ["sslmode"] = "SSL Mode",
        ["ssl"] = "SSL Mode",
        ["sslrootcert"] = "Root Certificate",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["sslpassword"] = "SSL Password",
        ["channel_binding"] = "Channel Binding",
        ["options"] = "Options",
        ["client_encoding"] = "Client Encoding",
    };

    /// <exception cref="InvalidOperationException">The text cannot be understood; the message says which part and never shows the password.</exception>
    public static string ToConnectionString(string url)
    {
        var text = url.Trim();
        var separator = text.IndexOf("://", StringComparison.Ordinal);
        if (separator < 0)
            return FromConnectionString(text);
        var scheme = text[..separator].ToLowerInvariant();
        if (scheme is not ("postgresql" or "postgres") && !scheme.StartsWith("postgresql+", StringComparison.Ordinal) && !scheme.StartsWith("postgres+", StringComparison.Ordinal))
            throw Refuse($"starts with '{scheme}://'");

        var rest = text[(separator + 3)..];
        var query = "";
        if (rest.IndexOf('?') is var question and >= 0)
            (rest, query) = (rest[..question], rest[(question + 1)..]);
        var database = "";
        if (rest.IndexOf('/') is var slash and >= 0)
            (rest, database) = (rest[..slash], rest[(slash + 1)..]);
        var login = "";
        if (rest.LastIndexOf('@') is var at and >= 0)
            (login, rest) = (rest[..at], rest[(at + 1)..]);

        var builder = new NpgsqlConnectionStringBuilder();
        if (login.Length > 0)
        {
            var colon = login.IndexOf(':');
            builder.Username = Decode(colon < 0 ? login : login[..colon]);
            if (colon >= 0)
                builder.Password = Decode(login[(colon + 1)..]);
        }
        if (database.Length > 0)
            builder.Database = Decode(database);
        Address(builder, rest);
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0)
                throw Refuse($"has the parameter '{Decode(equals < 0 ? pair : "")}' without a value");
            Set(builder, Decode(pair[..equals]), Decode(pair[(equals + 1)..]));
        }
        if (string.IsNullOrEmpty(builder.Host))
            builder.Host = "localhost";
        return builder.ConnectionString;
    }

    private static void Address(NpgsqlConnectionStringBuilder builder, string address)
    {
        if (address.Length == 0)
            return;
        if (address.Contains(','))
            throw Refuse("names several hosts; name the one that takes writes");
        var (host, port) = (address, "");
        var afterBracket = address.IndexOf(']');
        if (address[0] == '[' && afterBracket > 0)
            (host, port) = (address[1..afterBracket], address[(afterBracket + 1)..].TrimStart(':'));
        else if (address.LastIndexOf(':') is var colon and >= 0)
            (host, port) = (address[..colon], address[(colon + 1)..]);
        builder.Host = Decode(host);
        if (port.Length > 0)
            Set(builder, "port", port);
    }

    private static void Set(NpgsqlConnectionStringBuilder builder, string name, string value)
    {
        var key = Parameters.GetValueOrDefault(name, name);
        if (key == "Port" && (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535))
            throw Refuse($"has the port '{value}' (1–65535)");
        if (key == "SSL Mode")
        {
            // libpq writes verify-full, Npgsql VerifyFull; other drivers write ssl=true.
            value = value.ToLowerInvariant() switch { "true" or "1" => "require", "false" or "0" => "disable", var mode => mode.Replace("-", "", StringComparison.Ordinal) };
        }
        try
        {
            builder[key] = value;
        }
        catch (Exception unknown) when (unknown is ArgumentException or KeyNotFoundException or FormatException or InvalidCastException)
        {
            throw Refuse($"has the parameter '{name}' with a name or value that is not known (known: {string.Join(", ", Parameters.Keys)})");
        }
    }

    private static string FromConnectionString(string text)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(text);
            return string.IsNullOrEmpty(builder.Host) ? throw Refuse("names no host") : builder.ConnectionString;
        }
        catch (ArgumentException)
        {
            throw Refuse("is neither a URL nor a connection string"); // Its own message might repeat the password.
        }
    }

    private static string Decode(string part) => Uri.UnescapeDataString(part);

    private static InvalidOperationException Refuse(string what) =>
        new($"DATABASE_URL {what}. Write it as postgresql://user:password@host:5432/database?sslmode=require "
            + "(socket: postgresql:///database?host=/folder), percent-encode special characters, or unset it to use the embedded database.");
}
