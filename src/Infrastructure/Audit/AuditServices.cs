using FogCompute.Application.Audit;
using FogCompute.Application.Common.Security;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Audit;

public static class AuditServices
{
    /// <summary>The audit log; part of the platform, because commands of every module are recorded.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services) => services
        .AddScoped<IAuditLog, AuditLog>()
        .AddScoped<IAuditBook, PostgresAuditBook>();
}
