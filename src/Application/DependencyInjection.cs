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
        services.AddScoped<Tokenomics.Contracts.IJobFunds, Tokenomics.JobFunds>();
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
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(CollapsingBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(PreparationBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(UnitOfWorkBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(IdempotencyBehavior<,>));
        services.AddScoped(typeof(IPipelineBehavior<,>), typeof(AuditBehavior<,>));

        services.AddSingleton(typeof(SharedLooks<,>));
        services.AddSingleton(typeof(CommandGroups<,>));
        foreach (var type in assembly.GetTypes().Where(t => t is { IsAbstract: false, IsGenericTypeDefinition: false }))
        foreach (var contract in type.GetInterfaces().Where(i => i.IsGenericType))
        {
            var definition = contract.GetGenericTypeDefinition();
            if (definition == typeof(IRequestHandler<,>) || definition == typeof(INotificationHandler<>) || definition == typeof(IPreparation<>))
                services.AddScoped(contract, type);
            else if (definition == typeof(IGroupHandler<,>))
                services.AddGroupHandler(contract, type);
            else if (definition == typeof(IValidator<>))
                services.AddSingleton(contract, type);
        }
        return services;
    }

    /// <summary>A handler of groups, and what lets single commands join one.</summary>
    internal static void AddGroupHandler(this IServiceCollection services, Type contract, Type handler)
    {
        var types = contract.GetGenericArguments();
        services.AddScoped(contract, handler).AddScoped(typeof(IRequestHandler<,>).MakeGenericType(types), typeof(GroupedHandler<,>).MakeGenericType(types));
    }

    /// <summary>Results of queries that are shared among those who asked at the same time: one instance for all of them.</summary>
    public static IReadOnlySet<Type> SharedResults(Assembly assembly) =>
        assembly.GetTypes().Where(t => t.GetCustomAttribute<CollapsedAttribute>() is not null)
            .Select(t => t.GetInterfaces().Single(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IRequest<>)).GetGenericArguments()[0]).ToHashSet();

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
