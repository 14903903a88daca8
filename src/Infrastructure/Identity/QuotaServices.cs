using FogCompute.Application.Identity;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace FogCompute.Infrastructure.Identity;

public static class QuotaServices
{
    /// <summary>Plans and what is used of them; part of the platform, because every submit asks.</summary>
    public static void AddQuotas(this IServiceCollection services)
    {
        services.TryAddSingleton(Plans.Default);
        services.AddSingleton<IPlanBook, PlanBook>();
        services.AddScoped<IUsage, PostgresUsage>();
        services.AddSingleton<ApiCallCounter>();
        services.AddSingleton<IApiCalls>(provider => provider.GetRequiredService<ApiCallCounter>());
        services.AddHostedService(provider => provider.GetRequiredService<ApiCallCounter>());
        services.AddQuotasApplication();
    }
}
