using FogCompute.Application.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Identity;

public static class IdentityServices
{
    public static IServiceCollection AddIdentity(this IServiceCollection services)
    {
        services.AddIdentityApplication();
        services.AddScoped<IIdentityDb>(p => p.GetRequiredService<FogDbContext>());
        services.AddSingleton<ICredentials, Credentials>();
        return services;
    }
}
