using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Identity;

// Recurring, no route. Mails the links that were asked for, outside of any transaction; a token exists from here on only, and the database has
// its hash. A mail whose hash could not be saved is dead, and another follows.

[RequiresPermission(Permissions.Operate)]
public sealed record SendPasswordResetsCommand : ICommand<RecurringOutcome>;

/// <summary>What the preparation did, for the handler.</summary>
internal sealed class ResetMails
{
    /// <summary>More than this wait for the next run.</summary>
    public const int Batch = 20;

    public bool MayBeMore { get; set; }
    public List<(string EmailKey, byte[] SecretHash)> Sent { get; } = [];
    public List<string> Unknown { get; } = [];

    public List<string> Failed { get; } = [];
}

internal sealed partial class SendPasswordResetsPreparation(IPasswordResets resets, IMailer mailer, IdentityOptions options, ResetMails mails, TimeProvider clock, ILogger<SendPasswordResetsCommand> log)
    : IPreparation<SendPasswordResetsCommand>
{
    public async Task PrepareAsync(SendPasswordResetsCommand command, CancellationToken cancel)
    {
        var due = await resets.DueAsync(ResetMails.Batch, clock.GetUtcNow(), cancel);
        foreach (var request in due)
        {
            if (request.User is not { } user)
            {
                mails.Unknown.Add(request.EmailKey);
                continue;
            }
            var secret = AccessSecret.New(AccessSecret.ResetPrefix);
            try
            {
                await mailer.SendAsync(MailFor(user.Username, user.Email, secret), cancel);
                mails.Sent.Add((request.EmailKey, AccessSecret.HashOf(secret)));
            }
            catch (Exception failure) when (!cancel.IsCancellationRequested)
            {
                // Tried again later: addresses that no mail reaches must not stand in the way of the others.
                mails.Failed.Add(request.EmailKey);
                Failed(log, failure);
            }
        }
        mails.MayBeMore = due.Count == ResetMails.Batch;
    }

    private Mail MailFor(string username, string email, string secret) => new(email, "A new password for FogCompute", $"""
        Hello {username},

        somebody, probably you, asked for a new password. Choose one within 30 minutes:

        {(options.PublicUrl is { } url ? new Uri(url, "/reset-password?token=" + secret).ToString() : $"open /reset-password?token={secret} on your control plane")}

        All sessions end when you do. If it was not you, do nothing: your password stays as it is.
        """);

    [LoggerMessage(60, LogLevel.Warning, "mail_failed A password link could not be sent; trying again in a minute, for half an hour")]
    private static partial void Failed(ILogger logger, Exception failure);
}

internal sealed class SendPasswordResetsHandler(IPasswordResets resets, ResetMails mails, TimeProvider clock) : ICommandHandler<SendPasswordResetsCommand, RecurringOutcome>
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    public async Task<RecurringOutcome> Handle(SendPasswordResetsCommand request, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        foreach (var (email, hash) in mails.Sent)
            await resets.MarkSentAsync(email, hash, now, now + Life, cancellationToken);
        foreach (var email in mails.Unknown)
            await resets.DropAsync(email, cancellationToken);
        foreach (var email in mails.Failed)
            await resets.PostponeAsync(email, now + RetryAfter, now + Life, cancellationToken);
        return new RecurringOutcome(mails.MayBeMore);
    }
}
