using FogCompute.Application.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Identity;

public static class IdentityServices
{
    public static IServiceCollection AddIdentity(this IServiceCollection services, IdentityOptions options, MailOptions mail)
    {
        services.AddIdentityApplication();
        services.AddSingleton(options);
        services.AddSingleton(mail);
        services.AddSingleton(new PasswordHashingOptions());
        services.AddScoped<IIdentityDb>(p => p.GetRequiredService<FogDbContext>());
        services.AddScoped<ILoginFailures, LoginFailures>();
        services.AddScoped<IPasswordResets, PasswordResets>();
        services.AddScoped<ISetupToken, SetupTokens>();
        services.AddScoped<ILoginRemains, LoginRemains>();
        services.AddSingleton<ICredentials, Credentials>();
        services.AddSingleton<IPasswordHashing, PasswordHashing>();
        services.AddSingleton<IMailer, Mailer>();
        return services;
    }
}
