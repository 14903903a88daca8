using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Health;

public static class HealthApplication
{
    public static IServiceCollection AddHealthApplication(this IServiceCollection services)
    {
        services.AddSingleton<Readiness>();
        services.AddSingleton<HealthProbes>();
        return services;
    }
}
