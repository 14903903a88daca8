using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Artifacts;

public static class ArtifactsApplication
{
    public static IServiceCollection AddArtifactsApplication(this IServiceCollection services) => services.AddScoped<ArtifactAccess>();
}
