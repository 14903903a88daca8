namespace FogCompute.Domain.Identity;

/// <summary>Billing and authorisation principal; owns one ledger account, devices and jobs.</summary>
public sealed class Account
{
    /// <summary>The account of the person at this machine in the embedded default.</summary>
    public const string LocalName = "local";

    /// <summary>Names that nobody may register: whoever had <see cref="LocalName"/> would be the local operator one day.</summary>
    public static readonly IReadOnlyList<string> ReservedNames = [LocalName, "system"];

    private Account()
    {
        Name = "";
        Address = "";
    }

    public AccountId Id { get; private set; }

    /// <summary>1–64 of <c>[a-z0-9-_.]</c>, unique.</summary>
    public string Name { get; private set; }

    /// <summary>Public ledger address, see <see cref="AccountAddress"/>.</summary>
    public string Address { get; private set; }

    public DateTimeOffset CreatedAt { get; private set; }

    public static Account Open(string name, DateTimeOffset now)
    {
        var id = AccountId.New(now);
        return new Account { Id = id, Name = name, Address = AccountAddress.Of(id), CreatedAt = now };
    }
}
