using FogCompute.Application.Artifacts;
using FogCompute.Application.Artifacts.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Artifacts;

public static class ArtifactServices
{
    /// <summary>The artifact store and its tables. <see cref="IAttemptAccess"/> comes from the scheduler.</summary>
    public static IServiceCollection AddArtifacts(this IServiceCollection services, ArtifactOptions options)
    {
        services.AddArtifactsApplication();
        services.AddSingleton(options);
        services.AddSingleton<IArtifactStore, ArtifactStore>();
        services.AddScoped<ArtifactDb>();
        services.AddScoped<IArtifactDb>(p => p.GetRequiredService<ArtifactDb>());
        services.AddScoped<IArtifactCatalog>(p => p.GetRequiredService<ArtifactDb>());
        return services;
    }
}
