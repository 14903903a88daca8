using FogCompute.Application.Identity.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Identity;

public static class IdentityApplication
{
    /// <summary>What this module offers besides its use cases.</summary>
    public static IServiceCollection AddIdentityApplication(this IServiceCollection services)
    {
        services.AddScoped<CredentialContext>();
        services.AddScoped<IEnrolment, Enrolment>();
        services.AddScoped<IArtifactQuota, ArtifactQuota>();
        return services;
    }
}
