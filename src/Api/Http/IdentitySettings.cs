using System.Net;
using System.Net.Mail;
using FogCompute.Application.Identity;

namespace FogCompute.Api.Http;

/// <summary>Settings about people: registration, links, mail.</summary>
internal static class IdentitySettings
{
    /// <exception cref="ConfigurationException">A value is outside its range.</exception>
    public static (IdentityOptions Identity, MailOptions Mail) Read(IConfiguration settings, ServerOptions server)
    {
        var registration = Text(settings, "FOG_REGISTRATION") ?? "open";
        if (registration is not ("open" or "closed"))
            throw new ConfigurationException($"FOG_REGISTRATION is '{registration}'; allowed is open or closed.");

        var publicText = Text(settings, "FOG_PUBLIC_URL") ?? (server is { IsLoopback: true, Port: > 0 } ? $"http://127.0.0.1:{server.Port}" : null);
        Uri? publicUrl = null;
        if (publicText is not null && (!Uri.TryCreate(publicText, UriKind.Absolute, out publicUrl) || publicUrl.Scheme is not ("http" or "https") || publicUrl.PathAndQuery != "/"))
            throw new ConfigurationException($"FOG_PUBLIC_URL is '{publicText}'; allowed is an address such as https://fog.example.org, without a path.");

        var from = Text(settings, "FOG_MAIL_FROM") ?? "fogcompute@localhost";
        if (!MailAddress.TryCreate(from, out _))
            throw new ConfigurationException($"FOG_MAIL_FROM is '{from}'; allowed is an e-mail address, such as fog@example.org.");

        return (new IdentityOptions(registration == "open", publicUrl), new MailOptions(Path.Combine(server.Home, "mail"), from, ServerOf(Text(settings, "FOG_SMTP_URL"))));
    }

    private static SmtpServer? ServerOf(string? text)
    {
        if (text is null)
            return null;
        // The value is not repeated: it may hold a password.
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme != "smtp" || url.PathAndQuery is not ("/" or ""))
            throw new ConfigurationException("FOG_SMTP_URL cannot be used; allowed is smtp://USER:PASSWORD@HOST:PORT (STARTTLS; a port that speaks TLS at once, such as 465, is not).");
        var login = url.UserInfo.Split(':', 2) is [{ Length: > 0 } user, var password] ? new NetworkCredential(Uri.UnescapeDataString(user), Uri.UnescapeDataString(password)) : null;
        return new SmtpServer(url.Host, url.IsDefaultPort || url.Port < 0 ? 587 : url.Port, login, Secure: !url.IsLoopback);
    }

    private static string? Text(IConfiguration settings, string key) => settings[key] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
}
