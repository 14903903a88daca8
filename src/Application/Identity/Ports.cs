using System.Net;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

/// <param name="OpenRegistration">Whether anybody may register.</param>
/// <param name="PublicUrl">Where people reach this control plane, for links in mails; null: mails name the token only.</param>
public sealed record IdentityOptions(bool OpenRegistration = true, Uri? PublicUrl = null);

public enum PasswordMatch
{
    Wrong,
    Right,
    /// <summary>Right, but hashed with fewer iterations than today's: hash it anew.</summary>
    RightButWeak,
}

/// <summary>
/// Slow on purpose and so bounded: a few at once, some more waiting, the rest are refused (503 with <c>Retry-After</c>). Call it from an
/// <see cref="Common.Messaging.IPreparation{TCommand}"/>, never inside a transaction.
/// </summary>
public interface IPasswordHashing
{
    Task<string> HashAsync(string password, CancellationToken cancel);

    /// <param name="hash">Null: there is no such user. The same work is done all the same, so that the time tells nothing.</param>
    Task<PasswordMatch> MatchAsync(string? hash, string password, CancellationToken cancel);
}

/// <summary>Counts wrong logins by key; see <see cref="LoginThrottle"/>.</summary>
public interface ILoginFailures
{
    /// <summary>How long the strictest lock of the keys lasts; zero: none.</summary>
    Task<TimeSpan> LockedForAsync(LoginKeys keys, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Makes logins under the same name wait for each other until the transaction ends, so that guesses sent at once count one by one.</summary>
    Task HoldNameAsync(LoginKeys keys, CancellationToken cancel);

    /// <summary>Counts one failure under each key, in the running transaction.</summary>
    Task CountAsync(LoginKeys keys, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Forgets the failures of the name, not those of the address: one good login must not buy an address more guesses.</summary>
    Task ForgetNameAsync(LoginKeys keys, CancellationToken cancel);
}

/// <param name="Text">Plain text.</param>
public sealed record Mail(string To, string Subject, string Text);

/// <summary>Sends mail; throws when it could not be handed over.</summary>
public interface IMailer
{
    Task SendAsync(Mail mail, CancellationToken cancel);
}

/// <param name="User">Null: nobody has that address, or they may not log in.</param>
public sealed record ResetRequest(string EmailKey, (string Username, string Email)? User);

/// <summary>Requests for a new password, one per address.</summary>
public interface IPasswordResets
{
    /// <summary>Notes the request; a repetition within <paramref name="quiet"/> changes nothing.</summary>
    Task RequestAsync(string emailKey, DateTimeOffset now, TimeSpan quiet, CancellationToken cancel);

    /// <summary>Requests without mail yet, oldest first; not those that are postponed.</summary>
    Task<IReadOnlyList<ResetRequest>> DueAsync(int most, DateTimeOffset now, CancellationToken cancel);

    /// <summary>The mail could not be sent: others come first until <paramref name="again"/>, and a request that fails up to <paramref name="giveUp"/> after its first failure is forgotten.</summary>
    Task PostponeAsync(string emailKey, DateTimeOffset again, DateTimeOffset giveUp, CancellationToken cancel);

    Task MarkSentAsync(string emailKey, byte[] secretHash, DateTimeOffset now, DateTimeOffset expires, CancellationToken cancel);

    Task DropAsync(string emailKey, CancellationToken cancel);

    /// <summary>Address for which the token is good; null: for none.</summary>
    Task<string?> FindAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel);
}

/// <summary>The one token that makes the first admin.</summary>
public interface ISetupToken
{
    /// <summary>There is this one from now on, and no other.</summary>
    Task ReplaceAsync(byte[] secretHash, DateTimeOffset expires, CancellationToken cancel);

    Task<bool> IsGoodAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Uses it up; false: it is not good (any more).</summary>
    Task<bool> BurnAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel);
}

/// <summary>Deletes what has run out: tokens, sessions, counted failures, reset links.</summary>
public interface ILoginRemains
{
    /// <returns>Rows deleted, at most <paramref name="most"/> of each kind.</returns>
    Task<int> DeleteAsync(DateTimeOffset now, TimeSpan sessionsKept, int most, CancellationToken cancel);
}

/// <summary>How mail leaves.</summary>
/// <param name="Folder">Where mails are written as <c>.eml</c> files when there is no server.</param>
/// <param name="From">Sender.</param>
/// <param name="Server">SMTP server; null: <paramref name="Folder"/>.</param>
public sealed record MailOptions(string Folder, string From, SmtpServer? Server);

/// <param name="Secure">STARTTLS, and no mail without it; off for a server on this machine only.</param>
public sealed record SmtpServer(string Host, int Port, NetworkCredential? Login, bool Secure);
