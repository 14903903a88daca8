using System.Text.Json;
using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Tokenomics;

/// <summary>What governance needs before a request about it can succeed.</summary>
internal static class GovernanceSeed
{
    /// <summary>Puts values in force as the founder would have before the first start.</summary>
    public static async Task SetAsync(ApiServer server, params (string Name, long Value)[] values)
    {
        await using var scope = server.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(async _ =>
        {
            foreach (var (name, value) in values)
                await scope.ServiceProvider.GetRequiredService<IParameterBook>().SetAsync(ParameterCatalogue.Find(name)!, value, null, TimeProvider.System.GetUtcNow(), CancellationToken.None);
            return 0;
        }, _ => Task.CompletedTask, CancellationToken.None);
        scope.ServiceProvider.GetRequiredService<ISignals>().Publish(Topics.Parameters); // As the pipeline does after a commit.
    }

    public static async Task<string> AddressOfAsync(HttpClient client) =>
        JsonDocument.Parse(await client.GetStringAsync("/api/tokenomics/balance")).RootElement.GetProperty("address").GetString()!;

    /// <summary>Stakes some of what the client's account has.</summary>
    public static async Task<Guid> StakeAsync(ApiServer server, HttpClient client, int credits)
    {
        var address = await AddressOfAsync(client);
        await using var scope = server.Services.CreateAsyncScope();
        var owner = (await scope.ServiceProvider.GetRequiredService<ILedgerBook>().FindAsync(address, CancellationToken.None))!.Owner;
        using var staked = await client.PostAsync("/api/tokenomics/stake", ApiServer.Json($$"""{"amount": {{credits}}}"""));
        staked.EnsureSuccessStatusCode();
        return owner.Value;
    }

    /// <summary>Makes every example of governance possible: anybody may propose, the operator has a stake, and the proposal that the vote names is active.</summary>
    public static async Task ExamplesAsync(ApiServer server)
    {
        await SetAsync(server, ("governance.threshold_bp", 0), ("governance.open_proposals_count", 100));
        var owner = await StakeAsync(server, server.Client, 10);
        var id = JsonDocument.Parse(Examples.Bodies["Vote"]).RootElement.GetProperty("proposal_id").GetString();
        await server.Database.DataSource.ExecuteAsync(
            $"""
            INSERT INTO tokenomics.proposals (id, proposer, title, description, payload, actions_hash, delay_seconds, voting_seconds, quorum_bp, approval_bp, late_quorum_seconds, timelock_seconds, grace_seconds,
                created_at, snapshot_at, snapshot_transfer, snapshot_supply, snapshot_delegation, voting_ends_at, due_at)
            SELECT '{id}', '{owner}', 'The proposal of the example', 'It waits for the vote of the example.', '[]', 'none', 1, 604800, 1000, 6000, 0, 172800, 1209600,
                now(), now(), (SELECT max(number) FROM tokenomics.transfers), 1000000000000, 0, now() + interval '7 days', now() + interval '7 days'
            """);
    }

    private static async Task ExecuteAsync(this Npgsql.NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
