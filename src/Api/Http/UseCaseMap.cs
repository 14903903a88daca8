using System.Reflection;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.AspNetCore.Mvc.ApplicationModels;
using Microsoft.AspNetCore.Mvc.Filters;

namespace FogCompute.Api.Http;

/// <summary>Names the use case of an action whose name does not say it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class UseCaseAttribute(Type request) : Attribute
{
    public Type Request { get; } = request;
}

/// <summary>The use case behind an endpoint: request type and the permission it declares.</summary>
public sealed record UseCase(Type Request, string Permission)
{
    public bool IsPublic => Permission == Permissions.Public;
}

/// <summary>
/// Ties each controller action to its use case by the house rule "action = use case": <c>SubmitJob</c> → <c>SubmitJobCommand</c> or
/// <c>SubmitJobQuery</c>. An action without one stops the start-up. The permission is then checked before the body is read, so a stranger
/// learns nothing about what a valid body looks like; the pipeline checks it again, whoever calls.
/// </summary>
internal sealed class UseCaseConvention : IActionModelConvention
{
    private static readonly ILookup<string, (Type Request, string? Permission)> ByName =
        Application.DependencyInjection.UseCases(typeof(Application.DependencyInjection).Assembly).ToLookup(u => u.Request.Name, StringComparer.Ordinal);

    public void Apply(ActionModel action)
    {
        var useCase = Find(action);
        foreach (var selector in action.Selectors)
            selector.EndpointMetadata.Add(useCase);
        action.Properties[typeof(UseCase)] = useCase;
        action.Filters.Add(new PermissionGate(useCase));
    }

    private static UseCase Find(ActionModel action)
    {
        var named = action.Attributes.OfType<UseCaseAttribute>().SingleOrDefault()?.Request;
        var found = named is not null
            ? [(named, named.GetCustomAttribute<RequiresPermissionAttribute>()?.Permission)]
            : ByName[action.ActionName + "Command"].Concat(ByName[action.ActionName + "Query"]).ToList();
        return found is [(var request, { } permission)]
            ? new UseCase(request, permission)
            : throw new InvalidOperationException(
                $"{action.Controller.ControllerName}.{action.ActionName} needs exactly one use case: name the action after it ({action.ActionName}Command or …Query) or say [UseCase(typeof(…))].");
    }
}

internal sealed class PermissionGate(UseCase useCase) : IAuthorizationFilter
{
    public void OnAuthorization(AuthorizationFilterContext context)
    {
        var caller = context.HttpContext.RequestServices.GetRequiredService<CallerContext>().Caller;
        if (!useCase.IsPublic && !caller.Permissions.Contains(useCase.Permission))
            throw new FogException(caller.Kind == CallerKind.Anonymous ? IdentityErrors.Unauthenticated : IdentityErrors.Forbidden(useCase.Permission));
    }
}
