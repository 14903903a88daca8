using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Common;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace FogCompute.Api.Http;

/// <summary>Where the person who starts the control plane reads the set-up link: standard error, never the log, for it is a secret.</summary>
public sealed record FirstRunNotice(TextWriter Writer);

/// <summary>
/// What a control plane without an admin does: bound to loopback it offers a set-up link, beyond loopback it refuses to run. Until that is known,
/// one that others can reach lets nobody in.
/// </summary>
internal sealed class FirstRun(ServerOptions server, FirstRunNotice notice, IServer http, IHostApplicationLifetime lifetime)
{
    public static string RefusalOf(string host) =>
        $"API_HOST is {host}, where others can reach this control plane, and it has no admin yet. Make one first: either start it once with API_HOST=127.0.0.1 and open "
        + "the set-up link that it prints, or run this program with create-admin --username NAME --email ADDRESS and the password on standard input.";

    /// <summary>Whether requests may come in.</summary>
    public bool IsOpen { get; private set; } = server.IsLoopback;

    /// <summary>Why the process must end; null: it need not.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Looks for an admin; stops the process where there must be one and is none.</summary>
    /// <returns>False: the process ends.</returns>
    public async Task<bool> CheckAsync(IDispatcher dispatcher, CancellationToken cancel)
    {
        if (server.IsLoopback || await dispatcher.SendAsync(new HasAdminQuery(), cancel))
            return IsOpen = true;
        Refusal = RefusalOf(server.Host);
        lifetime.StopApplication();
        return false;
    }

    /// <summary>Prints the link once the server listens; nothing when there is an admin.</summary>
    public async Task OfferAsync(IDispatcher dispatcher, CancellationToken cancel)
    {
        var listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(listening.SetResult);
        await listening.Task.WaitAsync(cancel);
        if ((await dispatcher.SendAsync(new IssueSetupTokenCommand(), cancel)).Secret is not { } secret)
            return;
        var address = http.Features.Get<IServerAddressesFeature>()!.Addresses.First();
        await notice.Writer.WriteLineAsync($"\nThis control plane has no admin yet. To make one, open within 24 hours (the link works once):\n\n  {address}/setup?token={secret}\n");
    }
}

/// <summary><c>create-admin --username NAME --email ADDRESS</c>, the password on standard input: the first admin where nobody can open a link.</summary>
internal static class CreateAdminVerb
{
    public const string Name = "create-admin";

    // As those of the fog command.
    private const int Done = 0, Failed = 1, Usage = 2, Conflict = 5;

    private const string Help = """
        create-admin --username NAME --email ADDRESS
        Makes an admin; the password is the first line of standard input. Settings (DATABASE_URL, FOG_HOME) as for the control plane.
        Exit codes: 0 made, or an admin of that name was there (nothing is changed) · 1 failed · 2 wrong arguments or values · 5 name or address taken by somebody else
        Example: printf '%s\n' "$PASSWORD" | FogCompute.Api create-admin --username ada --email ada@example.org
        """;

    /// <summary>Reads arguments and password; null with a code when there is nothing to do.</summary>
    public static async Task<(CreateAdminCommand? Command, string[] Settings, int Code)> ReadAsync(string[] args, TextReader input)
    {
        if (args.Contains("--help") || args.Contains("-h"))
        {
            await Console.Out.WriteLineAsync(Help);
            return (null, [], Done);
        }
        var (username, email, settings) = ((string?)null, (string?)null, new List<string>());
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--username" && i + 1 < args.Length)
                username = args[++i];
            else if (args[i] == "--email" && i + 1 < args.Length)
                email = args[++i];
            else if (args[i].StartsWith("--", StringComparison.Ordinal) && args[i].Contains('='))
                settings.Add(args[i]);
            else
                return await WrongAsync($"'{args[i]}' is not understood.");
        }
        if (username is null || email is null)
            return await WrongAsync("--username and --email are needed.");
        var password = await input.ReadLineAsync();
        return string.IsNullOrEmpty(password)
            ? await WrongAsync("The password is missing on standard input.")
            : (new CreateAdminCommand { Username = username, Email = email, Password = password }, [.. settings], Done);
    }

    public static async Task<int> RunAsync(CreateAdminCommand command, IServiceProvider services, CancellationToken cancel)
    {
        await using var scope = services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        try
        {
            var made = await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command, cancel);
            await Console.Out.WriteLineAsync(made.Created ? $"{command.Username} is an admin now." : $"{command.Username} is an admin already; nothing was changed.");
            return Done;
        }
        catch (FogException refusal)
        {
            await Console.Error.WriteLineAsync($"create-admin: {refusal.Error.Message}");
            return refusal.Error.Kind switch { ErrorKind.Conflict => Conflict, ErrorKind.Invalid => Usage, _ => Failed };
        }
    }

    private static async Task<(CreateAdminCommand?, string[], int)> WrongAsync(string what)
    {
        await Console.Error.WriteLineAsync($"create-admin: {what}\n{Help}");
        return (null, [], Usage);
    }
}
