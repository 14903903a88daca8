using FogCompute.Application.Identity.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Identity;

public static class IdentityApplication
{
    /// <summary>What this module offers besides its use cases.</summary>
    public static IServiceCollection AddIdentityApplication(this IServiceCollection services)
    {
        services.AddScoped<CredentialContext>();
        services.AddScoped<ClientContext>();
        services.AddScoped<IEnrolment, Enrolment>();
        services.AddScoped<SignedIn>();
        services.AddScoped<SessionDesk>();
        services.AddScoped<UserOpening>();
        services.AddScoped<UserDesk>();
        services.AddScoped<ResetMails>();
        services.AddScoped<Passwords.PasswordWork>();
        services.AddScoped<Passwords.OwnPassword>();
        return services;
    }
}
