using FogCompute.Domain.Identity;

namespace FogCompute.Application.Common.Security;

public enum CallerKind
{
    /// <summary>Not identified: may do nothing that needs a permission.</summary>
    Anonymous,
    /// <summary>A person or script at this very machine, in the embedded default (product docs, access).</summary>
    LocalOperator,
    /// <summary>A person who has logged in.</summary>
    User,
    ApiKey,
    /// <summary>May only register a device.</summary>
    EnrolmentToken,
    /// <summary>A device agent with its own key.</summary>
    Device,
    /// <summary>A recurring job of the control plane itself.</summary>
    System,
}

/// <summary>Who is asking. HTTP, WebSocket and recurring jobs all set one before a use case runs.</summary>
public sealed record Caller(CallerKind Kind, AccountId Account, string? DeviceId, IReadOnlySet<string> Permissions)
{
    public static readonly Caller Anonymous = new(CallerKind.Anonymous, default, null, new HashSet<string>());

    public static readonly Caller System = new(CallerKind.System, default, null, new HashSet<string>(Security.Permissions.All));

    /// <summary>The key it came with, for the audit log; null: none, or a device's own.</summary>
    public Guid? Key { get; init; }

    /// <summary>Operators see and act for every account.</summary>
    public bool IsOperator => Permissions.Contains(Security.Permissions.Operate);

    public bool MayActFor(AccountId account) => account == Account || IsOperator;
}

/// <summary>Holds the caller of the current scope.</summary>
public sealed class CallerContext
{
    public Caller Caller { get; set; } = Caller.Anonymous;
}

/// <summary>Every permission that a use case can ask for.</summary>
public static class Permissions
{
    /// <summary>Answers that anyone may have (health, stats of the whole pool).</summary>
    public const string Public = "public";
    public const string JobsRead = "jobs.read";
    public const string JobsWrite = "jobs.write";
    public const string DevicesRead = "devices.read";
    public const string DevicesWrite = "devices.write";
    /// <summary>What only an agent does: poll, report.</summary>
    public const string DeviceAgent = "devices.agent";
    public const string LedgerRead = "ledger.read";
    /// <summary>Moving one's own credits: stake, unstake, claim.</summary>
    public const string LedgerWrite = "ledger.write";
    /// <summary>Proposing, voting and delegating with one's own stake.</summary>
    public const string Govern = "govern";
    /// <summary>Cancelling proposals before they are executed, and nothing else.</summary>
    public const string Guard = "guard";
    public const string ArtifactsRead = "artifacts.read";
    public const string ArtifactsWrite = "artifacts.write";
    /// <summary>API keys and enrolment tokens of one's own account.</summary>
    public const string KeysManage = "keys.manage";
    /// <summary>One's own login: password, second factor, sessions. Counts with the access token of a session only.</summary>
    public const string Profile = "profile";
    /// <summary>The audit log of all accounts.</summary>
    public const string AuditRead = "audit.read";
    /// <summary>Who has which role, and who may log in.</summary>
    public const string UsersManage = "users.manage";
    /// <summary>Accounts, keys, other people's jobs, the reconciler.</summary>
    public const string Operate = "operate";

    public static readonly IReadOnlyList<string> All =
        [Public, JobsRead, JobsWrite, DevicesRead, DevicesWrite, DeviceAgent, LedgerRead, LedgerWrite, Govern, Guard, ArtifactsRead, ArtifactsWrite, KeysManage, Profile, AuditRead, UsersManage, Operate];

    /// <summary>What an API key of an ordinary account gets.</summary>
    public static readonly IReadOnlyList<string> Member =
        [Public, JobsRead, JobsWrite, DevicesRead, DevicesWrite, LedgerRead, LedgerWrite, Govern, ArtifactsRead, ArtifactsWrite, KeysManage];

    /// <summary>What a device key gets.</summary>
    public static readonly IReadOnlyList<string> Device = [Public, DeviceAgent, DevicesRead, ArtifactsRead, ArtifactsWrite];

    /// <summary>What an enrolment token gets.</summary>
    public static readonly IReadOnlyList<string> Enrolment = [Public, DevicesWrite];
}

/// <summary>The permission a use case needs. A request type without it stops the start-up.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class RequiresPermissionAttribute(string permission) : Attribute
{
    public string Permission { get; } = permission;
}
