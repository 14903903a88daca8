namespace FogCompute.Application.Common.Security;

/// <summary>What people are for in the pool: each role is a set of permissions, and a user has those of all their roles.</summary>
public static class Roles
{
    /// <summary>Submits work and pays for it.</summary>
    public const string Requester = "requester";
    /// <summary>Lends machines and is paid for them.</summary>
    public const string Provider = "provider";
    /// <summary>Keeps the pool running: sees and acts for every account.</summary>
    public const string Operator = "operator";
    /// <summary>Reads the audit log, changes nothing.</summary>
    public const string Auditor = "auditor";
    /// <summary>Everything, also who has which role.</summary>
    public const string Admin = "admin";

    private static readonly string[] Anyone = [Permissions.Public, Permissions.Profile];
    private static readonly string[] Owner = [.. Anyone, Permissions.DevicesRead, Permissions.LedgerRead, Permissions.LedgerWrite, Permissions.Govern, Permissions.KeysManage];

    private static readonly Dictionary<string, string[]> Sets = new(StringComparer.Ordinal)
    {
        [Requester] = [.. Owner, Permissions.JobsRead, Permissions.JobsWrite, Permissions.ArtifactsRead, Permissions.ArtifactsWrite],
        [Provider] = [.. Owner, Permissions.DevicesWrite],
        [Operator] = [.. Anyone, .. Permissions.Member, Permissions.Guard, Permissions.Operate],
        [Auditor] = [.. Anyone, Permissions.AuditRead, Permissions.JobsRead, Permissions.DevicesRead, Permissions.LedgerRead],
        [Admin] = [.. Permissions.All.Except([Permissions.DeviceAgent])],
    };

    public static readonly IReadOnlyList<string> All = [.. Sets.Keys];

    /// <summary>Of somebody who registers.</summary>
    public static readonly IReadOnlyList<string> OfNewUsers = [Requester, Provider];

    /// <summary>The union over the roles; a word that is no role adds nothing.</summary>
    public static IReadOnlySet<string> PermissionsOf(IEnumerable<string> roles) =>
        roles.SelectMany(r => Sets.GetValueOrDefault(r) ?? []).ToHashSet(StringComparer.Ordinal);
}
