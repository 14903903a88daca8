using FogCompute.Application.Common.Security;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.Identity;

/// <summary>Audit entries as log lines.</summary>
internal sealed partial class AuditLines(CallerContext context, ILogger<AuditLines> log) : IAuditLog
{
    public void Record(string action, string? subject, IReadOnlyDictionary<string, string>? details = null) =>
        Entry(log, action, subject ?? context.Caller.Account.ToString(), details is null ? "" : string.Join(' ', details.Select(d => $"{d.Key}={d.Value}")));

    [LoggerMessage(61, LogLevel.Information, "audit {action} {subject} {details}")]
    private static partial void Entry(ILogger logger, string action, string subject, string details);
}
