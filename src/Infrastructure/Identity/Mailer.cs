using System.Net.Mail;
using FogCompute.Application.Identity;

namespace FogCompute.Infrastructure.Identity;

/// <summary>
/// Mail over SMTP, or as files that a person or another program picks up. One client per mail: the framework's client sends one at a time, and
/// mails are rare here.
/// </summary>
internal sealed class Mailer(MailOptions options) : IMailer
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public async Task SendAsync(Mail mail, CancellationToken cancel)
    {
        using var message = new MailMessage(options.From, mail.To, mail.Subject, mail.Text);
        using var client = NewClient();
        // The client's own time limit does not cover asynchronous sending.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        await client.SendMailAsync(message, limit.Token);
    }

    private SmtpClient NewClient()
    {
        if (options.Server is { } server)
            return new SmtpClient(server.Host, server.Port) { EnableSsl = server.Secure, Credentials = server.Login };
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(options.Folder);
        else
            Directory.CreateDirectory(options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new SmtpClient { DeliveryMethod = SmtpDeliveryMethod.SpecifiedPickupDirectory, PickupDirectoryLocation = options.Folder };
    }
}
