using System.Diagnostics;
using System.Text.RegularExpressions;

namespace FogCompute.Architecture.Tests;

/// <summary>What lies in deploy/ fits the product and itself: every setting named there is a documented one, every file is there or made by setup.</summary>
public sealed partial class DeploymentTests
{
    private static readonly string Deploy = Path.Combine(Code.Root, "deploy");
    private static readonly ComposeFile Compose = ComposeFile.Read(Path.Combine(Deploy, "docker-compose.yml"));
    private static readonly string Setup = File.ReadAllText(Path.Combine(Deploy, "setup"));

    private static IEnumerable<string> Texts =>
        new[] { "docker-compose.yml", "Caddyfile", "api.Dockerfile", "node.Dockerfile", "systemd/fogcompute.service", "systemd/fogcompute-node.service" }.Select(f => File.ReadAllText(Path.Combine(Deploy, f)));

    [Test]
    public void Every_setting_is_one_that_the_documentation_knows()
    {
        var documented = File.ReadAllText(Path.Combine(Code.Root, "docs", "operations.md"));
        var agent = File.ReadAllText(Path.Combine(Code.Root, "src", "Node", "CommandLine.cs"));
        var made = SettingMade().Matches(Setup).Select(m => m.Value).ToHashSet();
        var settings = Texts.Append(Setup).SelectMany(t => Setting().Matches(t)).Select(m => m.Value).Distinct().ToList();
        Assert.That(settings, Does.Contain("FOG_DRAIN_SECONDS").And.Contain("FOG_NODE_TOKEN").And.Contain("DATABASE_URL"));
        var unknown = settings.Where(s => !documented.Contains($"`{s}`", StringComparison.Ordinal) && !made.Contains(s + "=")
            && !(s.StartsWith("FOG_NODE_", StringComparison.Ordinal) && agent.Contains($"\"--{s["FOG_NODE_".Length..].Replace('_', '-').ToLowerInvariant()}\"", StringComparison.Ordinal)));
        Assert.That(unknown, Is.Empty);
    }

    [Test]
    public void Every_file_is_there_or_made_by_setup()
    {
        var named = Compose.Values("env_file").Concat(Compose.Values("file")).Concat(Compose.Values("dockerfile").Select(f => f["deploy/".Length..]))
            .Concat(Compose.Values("volumes").Where(v => v.StartsWith('.')).Select(v => v.Split(':')[0][1..].TrimStart('/'))).Where(f => f.Length > 0).Distinct().ToList();
        Assert.That(named, Has.Count.GreaterThan(6));
        Assert.That(named.Where(f => !File.Exists(Path.Combine(Deploy, f)) && !Setup.Contains($"keep {f}", StringComparison.Ordinal) && !Setup.Contains($"$here/{f}\"", StringComparison.Ordinal)), Is.Empty);
        var volumes = Compose.Values("volumes").Where(v => !v.StartsWith('.')).Select(v => v.Split(':')[0]).Distinct();
        Assert.That(volumes, Is.EquivalentTo(Compose.Children("volumes")));
    }

    [Test]
    public void Our_containers_run_with_as_little_as_they_need()
    {
        foreach (var service in new[] { "api-1", "api-2", "node", "admin", "caddy", "redis" })
        {
            Assert.That(Compose.Of(service, "read_only"), Is.EqualTo(new[] { "true" }), service);
            Assert.That(Compose.Of(service, "cap_drop"), Is.EqualTo(new[] { "ALL" }), service);
            Assert.That(Compose.Of(service, "security_opt"), Does.Contain("no-new-privileges:true"), service);
        }
        foreach (var file in new[] { "api.Dockerfile", "node.Dockerfile" })
            Assert.That(File.ReadAllText(Path.Combine(Deploy, file)), Does.Match(@"(?m)^USER [1-9]\d*:[1-9]\d*$").And.Match("(?m)^HEALTHCHECK "), file);
    }

    [Test]
    public void Secrets_are_drawn_once_and_for_nobody_else_to_read()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("setup is a script for Linux.");
        var folder = Directory.CreateTempSubdirectory("fog-setup-").FullName;
        try
        {
            foreach (var file in new[] { "setup", "common.sh" })
                File.Copy(Path.Combine(Deploy, file), Path.Combine(folder, file));
            Assert.That(Run(folder), Is.EqualTo(2), "it wants to be told the registry");
            Assert.That(Run(folder, "--dotnet-registry", "registry.example"), Is.Zero);
            var first = Contents(folder);
            Assert.That(first.Keys, Is.EquivalentTo(new[] { "postgres_password", "redis.env", "api.env", "node.env", "admin_password" }));
            Assert.That(first["api.env"], Does.Contain($"fog:{first["postgres_password"]}@postgres").And.Contain(first["redis.env"].Trim()["REDIS_PASSWORD=".Length..] + "@redis"));
            Assert.That(first["admin_password"], Has.Length.EqualTo(48).And.Not.EqualTo(first["postgres_password"]));
            foreach (var name in first.Keys)
#pragma warning disable CA1416 // Its scripts are for Linux.
                Assert.That(File.GetUnixFileMode(Path.Combine(folder, "secrets", name)), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), name);
            Assert.That(Run(folder, "--dotnet-registry", "another.example"), Is.Zero);
            Assert.That(Contents(folder), Is.EquivalentTo(first), "what exists is kept");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Dictionary<string, string> Contents(string folder) =>
        Directory.GetFiles(Path.Combine(folder, "secrets")).ToDictionary(f => Path.GetFileName(f), File.ReadAllText);

    private static int Run(string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(folder, "setup"), arguments) { UseShellExecute = false, RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    [GeneratedRegex(@"\b(?:FOG_[A-Z_]+[A-Z]|API_[A-Z]+|DATABASE_URL|REDIS_URL|CORS_ORIGINS)\b")]
    private static partial Regex Setting();

    /// <summary>What setup writes for docker-compose.yml itself, not for a program of ours.</summary>
    [GeneratedRegex("(?m)^(?:FOG_SITE|FOG_HTTP|FOG_HTTPS)=")]
    private static partial Regex SettingMade();

    /// <summary>As much of YAML as the file uses: keys, scalars, [a, b] and - lists, and &lt;&lt;: *anchor. Values are kept by their path of keys.</summary>
    private sealed partial class ComposeFile
    {
        private readonly List<(string Path, string Value)> _values = [];
        private readonly Dictionary<string, string> _anchors = [];
        private readonly List<(string Path, string Anchor)> _merges = [];

        public static ComposeFile Read(string file)
        {
            var compose = new ComposeFile();
            var path = new List<(int Indent, string Key)>();
            foreach (var line in File.ReadLines(file).Where(l => l.Trim() is { Length: > 0 } t && !t.StartsWith('#')))
            {
                var indent = line.Length - line.TrimStart().Length;
                path.RemoveAll(p => p.Indent >= indent);
                var text = line.Trim();
                if (text.StartsWith("- ", StringComparison.Ordinal))
                {
                    compose.Add(path, text[2..]);
                    continue;
                }
                var colon = text.IndexOf(':', StringComparison.Ordinal);
                Assert.That(colon, Is.GreaterThan(0), line);
                path.Add((indent, text[..colon]));
                compose.Add(path, text[(colon + 1)..].Trim());
            }
            return compose;
        }

        public IEnumerable<string> Values(string key) => _values.Where(v => v.Path.EndsWith("/" + key, StringComparison.Ordinal)).Select(v => v.Value);

        public IEnumerable<string> Children(string key) => _values.Where(v => v.Path.StartsWith($"/{key}/", StringComparison.Ordinal)).Select(v => v.Path.Split('/')[2]).Distinct();

        /// <summary>A key of a service, its own or merged into it.</summary>
        public IEnumerable<string> Of(string service, string key) => Own("/services/" + service, key);

        private IEnumerable<string> Own(string path, string key)
        {
            var own = _values.Where(v => v.Path == $"{path}/{key}").Select(v => v.Value).ToList();
            return own.Count > 0 ? own : _merges.Where(m => m.Path == path).SelectMany(m => Own(_anchors[m.Anchor], key));
        }

        private void Add(List<(int Indent, string Key)> keys, string value)
        {
            var path = string.Concat(keys.Select(k => "/" + k.Key));
            if (value.StartsWith('&'))
                _anchors[value[1..]] = path;
            else if (keys[^1].Key == "<<")
                _merges.Add((path[..^3], value[1..]));
            else if (value.StartsWith('['))
                _values.AddRange(value[1..^1].Split(',').Select(v => (path, v.Trim().Trim('"'))));
            else if (value.Length > 0)
                _values.Add((path, value.Trim('"')));
        }
    }
}
