using System.Globalization;
using System.Text.Json;
using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Embedded;
using FogCompute.Infrastructure.Persistence.Migrations;
using Npgsql;

namespace FogCompute.Api;

// What operators and their scripts run beside the server, with the server's settings:
//   ready           asks the server at API_PORT whether it is ready; for health checks in images without other programs
//   database        keeps the embedded database running until standard input ends; prints its URL
//   verify-ledger   prints the audit of the ledger as JSON; changes nothing
//   create-admin    makes an admin, the password on standard input; see CreateAdminVerb for arguments and exit codes
// Exit code 0: yes; 1: it cannot be told, or the answer is no.
public static partial class Program
{
    private static readonly JsonSerializerOptions Indented = new(JsonSetup.Responses) { WriteIndented = true };

    /// <summary>The verb's work; null when the arguments name none.</summary>
    private static Func<Task<int>>? FindVerb(string[] args) => args is not [{ Length: > 0 } verb, ..] ? null : verb switch
    {
        "ready" => () => ReadyAsync(args),
        "database" => () => HoldDatabaseAsync(args),
        "verify-ledger" => () => VerifyLedgerAsync(args),
        CreateAdminVerb.Name => () => CreateAdminAsync(args[1..]),
        "--help" or "-h" or "help" => () => SayAsync(Console.Out, Usage, 0),
        // Who mistypes one of these words wants anything but a server.
        _ when verb[0] is not ('-' or '/') && !verb.Contains('=', StringComparison.Ordinal) => () => SayAsync(Console.Error, $"There is no command '{verb}'.\n{Usage}", 2),
        _ => null,
    };

    private const string Usage = $"""
        FogCompute.Api [--KEY=value …]   runs the control plane; settings are environment variables or --KEY=value (docs/operations.md)
        FogCompute.Api ready             asks the control plane at API_PORT whether it is ready; 0: yes, 1: no
        FogCompute.Api database          keeps the embedded database running until standard input ends; prints its URL
        FogCompute.Api verify-ledger     recomputes the ledger and prints the audit as JSON; 0: nothing differs
        FogCompute.Api {CreateAdminVerb.Name} --username NAME --email ADDRESS   makes an admin, the password on standard input
        """;

    private static async Task<int> SayAsync(TextWriter where, string text, int code)
    {
        await where.WriteLineAsync(text);
        return code;
    }

    private static async Task<int> ReadyAsync(string[] args)
    {
        var server = ServerOptions.Read(NewBuilder(args).Configuration);
        var host = server.Address.Equals(System.Net.IPAddress.Any) ? "127.0.0.1" : server.Address.Equals(System.Net.IPAddress.IPv6Any) ? "[::1]"
            : server.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{server.Address}]" : server.Address.ToString();
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            using var answer = await client.GetAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{server.Port}/readyz")));
            await Console.Out.WriteLineAsync(await answer.Content.ReadAsStringAsync());
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"No control plane answers on port {server.Port}: {failure.Message}");
            return 1;
        }
    }

    private static async Task<int> HoldDatabaseAsync(string[] args)
    {
        var options = DatabaseOptions.From(NewBuilder(args).Configuration);
        if (options.Url is not null)
            throw new ConfigurationException("DATABASE_URL is set, so there is no embedded database to run. Unset it, or use that database.");
        using var log = StandardError();
        await using var database = await DatabaseHost.StartAsync(options, log.CreateLogger("FogCompute.Database"));
        var parts = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        await Console.Out.WriteLineAsync($"postgresql:///{EmbeddedPostgres.Database}?host={parts.Host}&user={EmbeddedPostgres.User}");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    private static async Task<int> VerifyLedgerAsync(string[] args)
    {
        var builder = NewBuilder(args);
        var server = ServerOptions.Read(builder.Configuration);
        await using var database = await DatabaseHost.StartAsync(DatabaseOptions.From(builder.Configuration), NullLog());
        // The signer makes a missing key, which would then distrust every checkpoint and leave a new key behind: that is for whoever starts a pool to do.
        if (!File.Exists(server.LedgerKey) && await HasCheckpointsAsync(database))
            throw new ConfigurationException($"The ledger's key {server.LedgerKey} is not there, so its checkpoints cannot be verified. Put the kept copy there (FOG_LEDGER_KEY says where) and ask again.");
        await using var app = Build(builder, database); // Never started: nothing is migrated, nothing recurs.
        await using var scope = app.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        var audit = await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new AuditLedgerQuery(), CancellationToken.None);
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(audit, Indented));
        return audit.Balanced ? 0 : 1;
    }

    private static async Task<int> CreateAdminAsync(string[] args)
    {
        var (command, settings, code) = await CreateAdminVerb.ReadAsync(args, Console.In);
        if (command is null)
            return code;
        var builder = NewBuilder(settings);
        using var log = StandardError();
        await using var database = await DatabaseHost.StartAsync(DatabaseOptions.From(builder.Configuration), log.CreateLogger("FogCompute.Database"));
        await using var app = Build(builder, database); // Never started: only migrated, for this may be the first thing that happens to a database.
        await Migrator.MigrateAsync(app.Services.GetRequiredService<NpgsqlDataSource>(), log.CreateLogger("FogCompute.Database"), CancellationToken.None);
        return await CreateAdminVerb.RunAsync(command, app.Services, CancellationToken.None);
    }

    private static async Task<bool> HasCheckpointsAsync(DatabaseHost database)
    {
        await using var connections = database.CreateDataSource();
        await using var command = connections.CreateCommand("SELECT EXISTS (SELECT FROM tokenomics.checkpoints)");
        return await command.ExecuteScalarAsync() is true;
    }

    /// <summary>Standard output belongs to the answer.</summary>
    private static ILoggerFactory StandardError() => LoggerFactory.Create(log => log.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Warning));

    private static Microsoft.Extensions.Logging.Abstractions.NullLogger NullLog() => Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;
}
