using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Diagnosis;

/// <summary>The control plane: does it answer, is it ready, how are its parts, is it of this version, does its clock agree, does it know the caller.</summary>
internal static class ServerCheck
{
    private const string Check = "Control plane";

    public static async Task<IReadOnlyList<Finding>> RunAsync(Invocation invocation, bool named)
    {
        var server = invocation.Server;
        JsonNode health;
        DateTimeOffset? serverTime;
        try
        {
            (health, serverTime) = await server.HealthAsync(invocation.Cancel);
        }
        catch (CliException error) when (error.ExitCode == ExitCodes.Unreachable && error.Problem is null && !server.Address.IsLoopback)
        {
            return [Finding.Fail(Check, error.Message, "Start it there, or correct --server or FOG_SERVER.")];
        }
        catch (CliException error)
        {
            return [Unanswered(server.Address, error, named)];
        }
        var status = health.Text("status");
        var findings = new List<Finding>
        {
            status switch
            {
                "healthy" => Finding.Ok(Check, $"{server.Address} is healthy, version {health.Text("version")}"),
                "degraded" => Finding.Warn(Check, $"{server.Address} is degraded", "See the parts below."),
                _ => Finding.Fail(Check, $"{server.Address} is {status}", "See the parts below."),
            },
        };
        findings.AddRange(Parts(health));
        if (await NotReadyAsync(invocation) is { } notReady)
            findings.Add(notReady);
        findings.Add(Version(health.Text("version")));
        if (serverTime is { } theirs)
            findings.Add(ClockCheck.Compare("Clock", "the server's clock", theirs, invocation.Host.Time.GetUtcNow()));
        findings.Add(await AccessAsync(invocation));
        return findings;
    }

    private static Finding Unanswered(Uri address, CliException error, bool named)
    {
        var holder = address.IsLoopback ? PortHolder.Find(address.Port) : null;
        var another = $"Stop it, or take another port: fog up --port {address.Port + 1} (API_PORT for a control plane that is started otherwise), then --server http://127.0.0.1:{address.Port + 1}";
        return error.ExitCode switch
        {
            ExitCodes.Unreachable when holder is null => named
                ? Finding.Fail(Check, error.Message, error.Next)
                // Nobody said that there should be one yet.
                : Finding.Warn(Check, error.Message, error.Next),
            ExitCodes.Timeout when holder is null => Finding.Fail(Check, error.Message, "See whether the machine is overloaded and what its log says."),
            _ when holder is not null => Finding.Fail("Port", $"{address.Port} is taken by {holder}, which does not answer like a control plane: {error.Message}", another),
            _ => Finding.Fail("Port", $"{address.Port} is taken by something that is not a control plane: {error.Message}", another),
        };
    }

    private static IEnumerable<Finding> Parts(JsonNode health)
    {
        // Without the database every part that asks it something fails with the same words: one cause, told once.
        var outage = health.Text("checks", "database", "status") == "unavailable" ? health.Text("checks", "database", "message") : null;
        foreach (var (name, check) in health.Members("checks").Where(c => c.Key == "database" || outage is null || c.Value.Text("message") != outage))
        {
            var message = $"{name}: {check.Text("message") ?? check.Text("status")}";
            // What an installation does not have is no problem of it.
            if (message.Contains("Not part of this installation", StringComparison.Ordinal))
                continue;
            switch (check.Text("status"))
            {
                case "degraded":
                    yield return Finding.Warn("Part", message, Advice(name));
                    break;
                case "unavailable":
                    yield return Finding.Fail("Part", message, Advice(name));
                    break;
            }
        }
    }

    private static string Advice(string part) => part switch
    {
        "database" => "Start the database, or set the clocks; the control plane recovers by itself. With the server's DATABASE_URL set here, fog doctor tries the login.",
        "cache" => "Start Redis, or unset the server's REDIS_URL. With it set here, fog doctor tries it.",
        "edge" => "See the machines: fog node list, fog node why ID",
        "jobs" => "See which and why: fog ops jobs, or the page /ops/jobs. A paused one goes on with fog ops resume NAME.",
        "scheduler" or "dao" => "See its recurring job: fog ops jobs. The control plane's log has the failure.",
        _ => "The control plane's log says more.",
    };

    private static async Task<Finding?> NotReadyAsync(Invocation invocation)
    {
        try
        {
            await invocation.Server.GetAsync("readyz", invocation.Cancel);
            return null;
        }
        catch (CliException error) when (error.Problem.Text("code") == "common.not_ready")
        {
            var reasons = error.Problem.Members("errors").Select(e => $"{e.Key}: {string.Join(" ", e.Value.Items().Select(m => m.Text()))}");
            return Finding.Fail("Ready", $"it takes no requests: {string.Join("; ", reasons)}", "Wait while it starts; otherwise remove that cause.");
        }
        catch (CliException error)
        {
            return Finding.Warn("Ready", error.Message, error.Next);
        }
    }

    private static Finding Version(string? theirs)
    {
        var ours = typeof(ServerCheck).Assembly.GetName().Version;
        if (!System.Version.TryParse(theirs, out var version))
            return Finding.Warn("Version", $"the server does not say its version ({theirs ?? "none"})", "See whether it is a FogCompute control plane.");
        if (ours is null || (version.Major, version.Minor, version.Build) == (ours.Major, ours.Minor, ours.Build))
            return Finding.Ok("Version", $"this command and the server are {theirs}");
        var detail = $"this command is {ours.ToString(3)}, the server {theirs}";
        const string next = "Bring both to the same version: git pull on both machines, then restart the control plane.";
        return (version.Major, version.Minor) == (ours.Major, ours.Minor) ? Finding.Warn("Version", detail, next) : Finding.Fail("Version", detail, next);
    }

    private static async Task<Finding> AccessAsync(Invocation invocation)
    {
        try
        {
            return Finding.Ok("Access", $"account {(await invocation.Server.GetAsync("api/tokenomics/balance", invocation.Cancel)).Text("address")}");
        }
        catch (CliException error)
        {
            // Without a token somebody may only want to look; one that is refused is a mistake.
            return error.Problem.Text("code") == "identity.invalid_token" ? Finding.Fail("Access", error.Message, error.Next) : Finding.Warn("Access", error.Message, error.Next);
        }
    }
}
