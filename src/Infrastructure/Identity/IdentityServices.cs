using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace FogCompute.Infrastructure.Identity;

public static class IdentityServices
{
    /// <param name="services">The application's services.</param>
    /// <param name="plans">What the plans allow; null: the usual.</param>
    public static IServiceCollection AddIdentity(this IServiceCollection services, Plans? plans = null)
    {
        services.AddSingleton(plans ?? Plans.Default);
        services.AddIdentityApplication();
        services.AddScoped<IIdentityDb>(p => p.GetRequiredService<FogDbContext>());
        services.AddSingleton<ICredentials, Credentials>();
        return services;
    }

    /// <summary>Plans and what is used of them; part of the platform, because every submit asks.</summary>
    public static void AddQuotas(this IServiceCollection services)
    {
        services.TryAddSingleton(Plans.Default);
        services.AddSingleton<IPlanBook, PlanBook>();
        services.AddScoped<IUsage, PostgresUsage>();
        services.AddSingleton<ApiCallCounter>();
        services.AddSingleton<IApiCalls>(provider => provider.GetRequiredService<ApiCallCounter>());
        services.AddHostedService(provider => provider.GetRequiredService<ApiCallCounter>());
    }
}
