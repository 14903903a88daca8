using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Server;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog login</c>, <c>fog logout</c> and <c>fog whoami</c>.</summary>
internal static class LoginCommands
{
    private const string LoginPath = "api/auth/login";

    public static FogCommand Login(GlobalOptions globals)
    {
        var username = new Argument<string>("username") { Description = "User name or e-mail address" };
        var fromInput = new Option<bool>("--password-stdin") { Description = "Read the password from the first line of standard input instead of asking" };
        var code = new Option<string?>("--code") { Description = "Six digits of the authenticator app, or a recovery code", HelpName = "CODE" };
        var command = new FogCommand("login", "Log in to the control plane; later commands act as you until fog logout.",
            "fog login ada", "fog login ada --password-stdin --code 123456 < password.txt", "fog --server https://fog.example.org login ada")
        {
            username, fromInput, code,
        };
        return command.Runs(globals, async invocation =>
        {
            var (host, name) = (invocation.Host, invocation.Get(username));
            var password = invocation.Get(fromInput) ? await host.In.ReadLineAsync(invocation.Cancel) : host.AskSecret?.Invoke($"Password of {name}: ");
            if (string.IsNullOrEmpty(password))
                throw new CliException(ExitCodes.Usage, "There is no password.", "Type it when asked, or pipe it in: fog login NAME --password-stdin < FILE");
            // Nothing of an earlier login may come along.
            using var server = new FogServer(invocation.ServerAddress, token: null);
            var body = new JsonObject { ["username"] = name, ["password"] = password, ["code"] = invocation.Get(code) };
            JsonNode tokens;
            try
            {
                tokens = await server.PostAsync(LoginPath, body, invocation.Cancel);
            }
            catch (CliException refusal) when (refusal.Problem.Text("code") == "identity.mfa_required")
            {
                body["code"] = host.AskSecret?.Invoke("Code of the authenticator app: ") ?? throw new CliException(ExitCodes.Auth, refusal.Message, "Send it along: fog login NAME --code CODE", refusal.Detail, refusal.Problem);
                tokens = await server.PostAsync(LoginPath, body, invocation.Cancel);
            }
            var login = LoginAnswer.Read(tokens, name, host.Time.GetUtcNow());
            var logins = new SavedLogins(host);
            using (await logins.LockAsync(invocation.Cancel))
                logins.Save(server.Address, login);
            invocation.Terminal.DocumentIfJson(new JsonObject { ["username"] = name, ["server"] = server.Address.ToString(), ["expires_at"] = login.ExpiresAt });
            invocation.Terminal.Line($"Logged in to {server.Address} as {name}.");
            if (invocation.Token is not null)
                invocation.Terminal.Note("FOG_TOKEN or --token is set and goes before this login.");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Logout(GlobalOptions globals)
    {
        var command = new FogCommand("logout", "End the login at the control plane and forget it here.", "fog logout");
        return command.Runs(globals, async invocation =>
        {
            var logins = new SavedLogins(invocation.Host);
            var address = invocation.ServerAddress;
            if (logins.Find(address) is not { } login)
                throw new CliException(ExitCodes.NotFound, $"Nobody is logged in to {address} here.", "See: fog whoami");
            var told = true;
            try
            {
                using var server = new FogServer(address, token: null, logins);
                await server.PostAsync("api/auth/logout", new JsonObject(), invocation.Cancel);
            }
            catch (CliException refusal) when (refusal.ExitCode is ExitCodes.Unreachable or ExitCodes.Timeout or ExitCodes.Auth)
            {
                told = refusal.ExitCode == ExitCodes.Auth;
                if (!told)
                    invocation.Terminal.Note($"The control plane could not be told ({refusal.Message}); the session there ends by itself, or from another login.");
            }
            using (await logins.LockAsync(invocation.Cancel))
                logins.Remove(address);
            invocation.Terminal.DocumentIfJson(new JsonObject { ["username"] = login.Username, ["server"] = address.ToString(), ["session_ended"] = told });
            invocation.Terminal.Line($"Logged out of {address}.");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand WhoAmI(GlobalOptions globals)
    {
        var command = new FogCommand("whoami", "Show as whom the control plane sees you, and what you may do.", "fog whoami", "fog whoami --json");
        return command.Runs(globals, async invocation =>
        {
            var who = await invocation.Server.GetAsync("api/identity/whoami", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(who);
            var kind = who.Text("kind")?.Replace('_', ' ');
            invocation.Terminal.Line(who.Text("name") is { } name ? $"{name} ({kind})" : kind ?? "unknown");
            if (who.Text("address") is { } address)
                invocation.Terminal.Line($"  address      {address}");
            invocation.Terminal.Line($"  permissions  {string.Join(", ", who.Items("permissions").Select(p => p.Text()))}");
            return ExitCodes.Ok;
        });
    }
}
