using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics.Parameters;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Tokenomics;

/// <summary>What the scheduler and the parameters would have to do first.</summary>
internal static class StakingWorld
{
    /// <summary>Lots are unlocked at once and unbonding is over at once, from now on.</summary>
    public static Task WithoutWaitingAsync(ApiServer server) => InTransactionAsync(server, async services =>
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        foreach (var clock in new[] { ParameterCatalogue.StakeLock, ParameterCatalogue.Unbonding })
            await services.GetRequiredService<IParameterBook>().SetAsync(clock, 0, null, now, CancellationToken.None);
    });

    /// <summary>A device of this owner is outvoted by one whose requester is the owner too, unless named; the id of the slash.</summary>
    /// <param name="owner">Absent: the local operator, who stakes first.</param>
    public static async Task<Guid> SlashAsync(ApiServer server, Guid? owner = null, Guid? requester = null)
    {
        var local = Guid.Parse(JsonNode.Parse(await server.Client.GetStringAsync("/api/identity/whoami"))!["accountId"]!.GetValue<string>());
        if (owner is null)
            await server.PostAsync("/api/tokenomics/stake", new JsonObject { ["amount"] = 2 });
        var attempt = Guid.NewGuid();
        await InTransactionAsync(server, services => services.GetRequiredService<IMediator>().Publish(new ResultsOutvoted(
            [new(new AttemptId(attempt), new JobId(Guid.NewGuid()), 3, "lab-pc-7", new AccountId(owner ?? local), new AccountId(requester ?? local), null)],
            services.GetRequiredService<TimeProvider>().GetUtcNow())));
        await using var find = server.Database.DataSource.CreateCommand("SELECT id FROM tokenomics.slashes WHERE attempt_id = $1");
        find.Parameters.Add(new() { Value = attempt });
        return (Guid)(await find.ExecuteScalarAsync())!;
    }

    public static async Task<Guid> AppealedAsync(ApiServer server)
    {
        var slash = await SlashAsync(server);
        await server.PostAsync($"/api/tokenomics/slashes/{slash}/appeal", new JsonObject { ["reason"] = "the payload is not deterministic" });
        return slash;
    }

    private static async Task InTransactionAsync(ApiServer server, Func<IServiceProvider, Task> work)
    {
        await using var scope = server.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(async _ =>
        {
            await work(scope.ServiceProvider);
            return 0;
        }, _ => Task.CompletedTask, CancellationToken.None);
        scope.ServiceProvider.GetRequiredService<ISignals>().Publish(Topics.Parameters); // As the pipeline does after a commit.
    }
}
