using System.Reflection;
using System.Text.RegularExpressions;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Infrastructure.RecurringJobs;

namespace FogCompute.Architecture.Tests;

/// <summary>Every command leaves an audit entry, or says here why it does not.</summary>
public sealed class AuditTests
{
    /// <summary>Besides the recurring commands, which nobody causes. Removing one is progress; adding one needs a reason as good.</summary>
    private static readonly Dictionary<string, string> Exempt = new(StringComparer.Ordinal)
    {
        ["SubmitJobCommand"] = "Hot; the job's own row keeps who submitted what and when, and is never deleted.",
        ["QuoteJobCommand"] = "Changes nothing but a quote that is forgotten after a day.",
        ["RehearseProposalCommand"] = "Computes an answer; its row is a cache of it.",
        ["HeartbeatDeviceCommand"] = "Machine-made, every few seconds per device.",
        ["DeliverLeasesCommand"] = "Machine-made: the long poll of agents.",
        ["RecordProgressCommand"] = "Machine-made by agents.",
        ["RecordReportsCommand"] = "Machine-made by agents and signed by them; the ledger keeps what each was paid.",
        ["IssueSocketTicketCommand"] = "Opens one public socket within half a minute, and nothing else.",
        ["RedeemSocketTicketCommand"] = "Spends such a ticket.",
        ["EnsureLocalOperatorCommand"] = "Runs at every start; records itself when it opens the account.",
        ["ApplyFoundersParametersCommand"] = "Runs at every start; the parameters' own history keeps what it sets.",
        ["RegisterCommand"] = "Records itself (identity.registered): its answer does not name the account.",
        ["LoginCommand"] = "Records itself, wrong logins too (identity.logged_in, identity.login_failed, identity.recovery_code_used).",
        ["RefreshCommand"] = "Machine-made, every half hour per session; records itself when a token is used twice (identity.refresh_reused).",
        ["RequestPasswordResetCommand"] = "Does the same for known and unknown addresses; what comes of it is recorded (identity.password_reset).",
        ["ResetPasswordCommand"] = "Records itself (identity.password_reset): who it was is known from the link only.",
        ["ChangePasswordCommand"] = "Records itself, wrong passwords too (identity.password_changed, identity.password_check_failed).",
        ["EnrolMfaCommand"] = "Changes nothing until it is confirmed; records a wrong password (identity.password_check_failed).",
        ["DisableMfaCommand"] = "Records itself, wrong passwords too (identity.mfa_disabled, identity.password_check_failed).",
        ["SetUpCommand"] = "Records itself (identity.set_up): its answer does not name the account.",
        ["CreateAdminCommand"] = "Records itself when it makes one (identity.admin_created), not when the admin was there.",
        ["IssueSetupTokenCommand"] = "Runs at every start without an admin; using the link is recorded (identity.set_up).",
        ["SetUserRolesCommand"] = "Records itself with the roles before and after (identity.roles_changed).",
    };

    private static IReadOnlyList<Type> Commands(Assembly assembly) =>
        [.. assembly.GetTypes().Where(t => !t.IsAbstract && AnswerOf(t) is not null)];

    private static Type? AnswerOf(Type type) =>
        type.GetInterfaces().FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(ICommand<>))?.GetGenericArguments()[0];

    private static IEnumerable<string> Unaccounted(IEnumerable<Type> commands) =>
        commands.Where(c => c.GetCustomAttribute<AuditedAttribute>() is null && !Exempt.ContainsKey(c.Name) && !RecurringJobTable.Rows.Any(r => r.Name + "Command" == c.Name)).Select(c => c.Name);

    private static IEnumerable<string> Odd(IEnumerable<Type> commands)
    {
        foreach (var command in commands)
        {
            if (command.GetCustomAttribute<AuditedAttribute>() is not { } audited)
                continue;
            if (!Regex.IsMatch(audited.Action, "^[a-z0-9_]+\\.[a-z0-9_]+$", RegexOptions.NonBacktracking))
                yield return $"{command.Name}: '{audited.Action}' is not module.what_happened";
            if (Exempt.ContainsKey(command.Name))
                yield return $"{command.Name} is audited and exempt";
            if (audited.Details.Any(d => Regex.IsMatch(d, "secret|token|password|code", RegexOptions.IgnoreCase | RegexOptions.NonBacktracking)))
                yield return $"{command.Name} records a secret";
            var said = "";
            try
            {
                _ = new AuditedFacts(audited, command, AnswerOf(command)!);
            }
            catch (InvalidOperationException wrong)
            {
                said = wrong.Message;
            }
            if (said.Length > 0)
                yield return said;
        }
    }

    [Test]
    public void Every_command_is_audited_or_exempt_with_a_reason() =>
        Assert.That(Unaccounted(Commands(typeof(FogCompute.Application.DependencyInjection).Assembly)), Is.Empty);

    [Test]
    public void What_is_audited_is_named_well() => Assert.That(Odd(Commands(typeof(FogCompute.Application.DependencyInjection).Assembly)), Is.Empty);

    [Test]
    public void Every_exemption_is_of_a_command_and_has_a_reason()
    {
        var names = Commands(typeof(FogCompute.Application.DependencyInjection).Assembly).Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
        Assert.That(Exempt.Where(e => !names.Contains(e.Key) || e.Value.Length < 20).Select(e => e.Key), Is.Empty);
    }

    [Test]
    public void The_rule_sees_silence_wrong_names_and_secrets()
    {
        Type[] samples = [typeof(Samples.SilentCommand), typeof(Samples.BabblingCommand)];
        Assert.That(Unaccounted(samples), Is.EqualTo(new[] { nameof(Samples.SilentCommand) }));
        Assert.That(Odd(samples), Has.Some.Contains("is not module.what_happened").And.Some.Contains("records a secret").And.Some.Contains("Elsewhere"));
    }
}
