namespace FogCompute.Domain.Identity;

/// <summary>A person who logs in. Their name is that of their account.</summary>
public sealed class User
{
    private User()
    {
        Email = "";
        EmailKey = "";
        PasswordHash = "";
        Roles = [];
    }

    /// <summary>The account this person acts for; one user each.</summary>
    public AccountId Id { get; private set; }
    public string Email { get; private set; }

    /// <summary>See <see cref="KeyOf"/>; unique.</summary>
    public string EmailKey { get; private set; }
    public string PasswordHash { get; private set; }

    /// <summary>Words of the roles, sorted; what each may is for the application to say.</summary>
    public string[] Roles { get; private set; }

    /// <summary>False: neither logs in nor acts, and its API keys rest.</summary>
    public bool IsActive { get; private set; }
    public DateTimeOffset CreatedAt { get; private set; }
    public DateTimeOffset PasswordChangedAt { get; private set; }

    /// <summary>Shared with the authenticator app; counts once <see cref="MfaSince"/> is set.</summary>
    public byte[]? TotpSecret { get; private set; }

    /// <summary>Latest time step whose code was used.</summary>
    public long TotpStep { get; private set; }

    /// <summary>Null: a password is enough.</summary>
    public DateTimeOffset? MfaSince { get; private set; }

    public bool HasMfa => MfaSince is not null;

    public static User Register(AccountId account, string email, string passwordHash, IEnumerable<string> roles, DateTimeOffset now) => new()
    {
        Id = account,
        Email = email,
        EmailKey = KeyOf(email),
        PasswordHash = passwordHash,
        Roles = Sorted(roles),
        IsActive = true,
        CreatedAt = now,
        PasswordChangedAt = now,
    };

    /// <summary>What makes two addresses the same: everything but the case.</summary>
    public static string KeyOf(string email) => email.Trim().ToLowerInvariant();

    public void ChangePassword(string hash, DateTimeOffset now) => (PasswordHash, PasswordChangedAt) = (hash, now);

    /// <summary>The same password under more iterations.</summary>
    public void Rehash(string hash) => PasswordHash = hash;

    public void SetRoles(IEnumerable<string> roles) => Roles = Sorted(roles);

    public void SetActive(bool active) => IsActive = active;

    /// <summary>Offers a new secret; it counts after <see cref="ConfirmMfa"/>.</summary>
    public void EnrolMfa(byte[] secret) => (TotpSecret, TotpStep) = (secret, 0);

    /// <summary>Turns the second factor on if the code belongs to the offered secret.</summary>
    public bool ConfirmMfa(string code, DateTimeOffset now)
    {
        if (!UseTotp(code, now))
            return false;
        MfaSince = now;
        return true;
    }

    /// <summary>Whether the code is right now; each is taken once.</summary>
    public bool UseTotp(string code, DateTimeOffset now)
    {
        if (TotpSecret is null || Totp.FindStep(TotpSecret, code, now, TotpStep) is not { } step)
            return false;
        TotpStep = step;
        return true;
    }

    public void DisableMfa() => (TotpSecret, TotpStep, MfaSince) = (null, 0, null);

    private static string[] Sorted(IEnumerable<string> roles) => [.. roles.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
}
