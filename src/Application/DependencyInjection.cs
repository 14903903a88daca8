using System.Reflection;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application;

public static class DependencyInjection
{
    /// <summary>Registers every use case, validator and event handler of this assembly, and the pipeline around them.</summary>
    /// <exception cref="InvalidOperationException">A request type carries no permission.</exception>
    public static IServiceCollection AddApplication(this IServiceCollection services)
    {
        var assembly = typeof(DependencyInjection).Assembly;
        RequirePermissions(assembly);

        services.AddScoped<ServiceFactory>(provider => provider.GetService!);
        services.AddScoped<IMediator, Mediator>();
        services.AddScoped<IDispatcher, Dispatcher>();
        services.AddScoped<Scheduler.Contracts.IJobInsight, Scheduler.JobInsight>();
        services.AddSingleton<Scheduler.PlacementHistory>();
        services.AddSingleton<Domain.Scheduler.Placement.IPlacementEngine, Domain.Scheduler.Placement.NsgaPlacement>();
        services.AddScoped<Tokenomics.Staking.StakeDesk>();
        services.AddScoped<Tokenomics.Staking.IStakeAccrual>(provider => provider.GetRequiredService<Tokenomics.Staking.StakeDesk>());
        services.AddScoped<Tokenomics.Staking.SlashCourt>();
        services.AddScoped<Tokenomics.Staking.ISlashCourt>(provider => provider.GetRequiredService<Tokenomics.Staking.SlashCourt>());
        services.AddScoped<Tokenomics.Governance.ProposalActions>();
        services.AddScoped<Tokenomics.Governance.ProposalReader>();
        services.AddScoped<Tokenomics.Staking.IStakeLock, Tokenomics.Governance.VotedStakeLock>();
        services.AddMetrics();
        services.AddSingleton<Common.Telemetry.UseCaseMeter>();
        services.AddSingleton<Scheduler.SchedulerMeter>();
        services.AddScoped<CallerContext>();
        services.AddScoped<TransactionScope>();
        services.AddScoped<ITransactionScope>(provider => provider.GetRequiredService<TransactionScope>());
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(TracingBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(AuthorizationBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(ValidationBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(UnitOfWorkBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(IdempotencyBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(AuditBehavior<,>));

        foreach (var type in assembly.GetTypes().Where(t => t is { IsAbstract: false, IsGenericTypeDefinition: false }))
        foreach (var contract in type.GetInterfaces().Where(i => i.IsGenericType))
        {
            var definition = contract.GetGenericTypeDefinition();
            if (definition == typeof(IRequestHandler<,>) || definition == typeof(INotificationHandler<>))
                services.AddScoped(contract, type);
            else if (definition == typeof(IValidator<>))
                services.AddSingleton(contract, type);
        }
        return services;
    }

    /// <summary>Request types of an assembly with the permission each declares.</summary>
    public static IEnumerable<(Type Request, string? Permission)> UseCases(Assembly assembly) =>
        assembly.GetTypes()
            .Where(t => !t.IsAbstract && t.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IRequest<>)))
            .Select(t => (t, t.GetCustomAttribute<RequiresPermissionAttribute>()?.Permission));

    internal static void RequirePermissions(Assembly assembly)
    {
        var bare = UseCases(assembly).Where(u => u.Permission is null).Select(u => u.Request.Name).ToList();
        if (bare.Count > 0)
            throw new InvalidOperationException($"These use cases declare no [RequiresPermission]: {string.Join(", ", bare)}. Default is deny, so nobody could call them.");
    }
}
