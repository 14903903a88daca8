using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Execution;

/// <summary>
/// What a hostile or broken payload may not do, tried for real; once with limits kept by control groups and once by sampling. Without a working bubblewrap these tests
/// fail, they are never skipped.
/// </summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class SandboxTests(bool controlGroups)
{
    private ExecutionBench _bench = null!;
    private bool _kernelKeepsLimits;

    [OneTimeSetUp]
    public async Task Open()
    {
        _bench = await ExecutionBench.OpenAsync(o => o with { UseControlGroups = controlGroups });
        // An agent that is not root often may not make control groups and says so.
        _kernelKeepsLimits = !_bench.Executor.Findings.Any(finding => finding.Contains("sampling", StringComparison.Ordinal));
        Assert.That(_kernelKeepsLimits && !controlGroups, Is.False);
        Assert.That(_bench.Executor.Isolation, Does.Contain(IsolationLevels.Sandbox), string.Join(' ', _bench.Executor.Findings));
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        await _bench.DisposeAsync();
        Assert.That(ExecutionBench.ProcessesNaming(_bench.Root), Is.Empty, "processes left behind");
        Assert.That(_bench.ControlGroupFolders(), Is.Empty, "control groups left behind");
    }

    [Test]
    public async Task Removes_empty_control_groups_of_agents_that_were_killed_and_no_others()
    {
        if (_bench.ControlGroupFolders() is not [var folder, ..])
        {
            Assert.That(_kernelKeepsLimits, Is.False);
            return;
        }
        // No process has a number as high; 1 always runs.
        var (dead, living) = ($"{Path.GetDirectoryName(folder)}/fog-00000000-{int.MaxValue}-1", $"{Path.GetDirectoryName(folder)}/fog-00000000-1-1");
        foreach (var left in (ReadOnlySpan<string>)[dead, living])
            Directory.CreateDirectory(left);
        try
        {
            // A start removes some, and others may have left more.
            for (var starts = 0; Directory.Exists(dead) && starts < 50; starts++)
                await (await ExecutionBench.OpenAsync()).DisposeAsync();
            Assert.That((Directory.Exists(dead), Directory.Exists(living)), Is.EqualTo((false, true)));
        }
        finally
        {
            foreach (var left in (ReadOnlySpan<string>)[dead, living])
                if (Directory.Exists(left))
                    Directory.Delete(left);
        }
    }

    [Test]
    public async Task Runs_a_program_and_measures_it()
    {
        var result = await _bench.Sh("echo out; echo err >&2; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.3; echo data > result.txt", l => l.Collecting("result.txt"));
        Assert.Multiple(() =>
        {
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message);
            Assert.That(result.ExitCode, Is.Zero);
            Assert.That(_bench.Stdout, Is.EqualTo("out\n"));
            Assert.That(_bench.Stderr, Is.EqualTo("err\n"));
            Assert.That(result.Outputs.Single().Path, Is.EqualTo("result.txt"));
            Assert.That(result.Wall, Is.GreaterThan(TimeSpan.FromSeconds(0.3)));
            Assert.That(result.Cpu, Is.GreaterThan(TimeSpan.FromMilliseconds(20)).And.LessThan(result.Wall));
            Assert.That(result.PeakMemoryBytes, Is.GreaterThan(100_000));
        });
    }

    [Test]
    public async Task Gives_standard_input_arguments_and_only_the_agreed_environment()
    {
        Environment.SetEnvironmentVariable("FOG_SECRET_OF_THE_AGENT", "leak");
        var result = await _bench.Run(["sh", "-c", "cat; printf '%s|' \"$@\"; env", "name", "a b", "$(id)", "*"], l => l with
        {
            Payload = l.Payload with { Stdin = "fed", Env = new Dictionary<string, string> { ["MINE"] = "x y", ["LD_LIBRARY_PATH"] = "/work" } },
        });
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + _bench.Stderr);
        var said = _bench.Stdout;
        Assert.That(said, Does.StartWith("feda b|$(id)|*|"));
        var names = said[said.LastIndexOf('|')..].TrimStart('|').Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=')[0]);
        Assert.That(names, Is.SubsetOf((string[])["PATH", "HOME", "TMPDIR", "LANG", "FOG_TASK_INDEX", "FOG_TASK_COUNT", "FOG_JOB_ID", "MINE", "LD_LIBRARY_PATH", "PWD", "OLDPWD", "SHLVL", "_"]));
        Assert.That(said, Does.Contain("FOG_TASK_INDEX=3\n").And.Contain("FOG_TASK_COUNT=64\n").And.Contain("HOME=/work\n").And.Contain("MINE=x y\n"));
    }

    [Test]
    public async Task Passes_every_text_as_an_argument_unchanged()
    {
        string[] words =
        [
            "", " ", "  two  spaces ", "\t", "\n", "a\nb", "\n\nends with two\n\n", "'", "\"", "it's \"quoted\"", "$(id)", "`id`", "${HOME}", "$1", "*", "?", "~", "\\", "\\n", "a\\", "-n", "-e",
            "; exit 7", "& true", "| cat", "> /work/x", "#", "ä€😀", "\r\n", "0", new('x', 5_000),
        ];
        var result = await _bench.Run(["sh", "-c", "printf '%s\\0' \"$@\"", "name", .. words]);
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + _bench.Stderr);
        Assert.That(_bench.Stdout.Split('\0')[..^1], Is.EqualTo(words));
        Assert.That(Directory.EnumerateFileSystemEntries(_bench.LastWork), Is.Empty);
    }

    [Test]
    public async Task Input_that_is_not_read_does_not_reach_the_next_attempt()
    {
        Func<LeaseMessage, LeaseMessage> Feeding(string? text) => l => l with { Payload = l.Payload with { Stdin = text } };
        var large = string.Concat(Enumerable.Range(0, 4_000).Select(i => $"line {i}\n"));
        Assert.That((await _bench.Sh("head -c 10", Feeding(large))).Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_bench.Stdout, Is.EqualTo("line 0\nlin"));
        Assert.That((await _bench.Sh("cat", Feeding(large))).Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_bench.Stdout, Is.EqualTo(large));
        Assert.That((await _bench.Sh("cat; echo end", Feeding(null))).Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_bench.Stdout, Is.EqualTo("end\n"));
    }

    [Test]
    public async Task A_notice_reaches_the_program_and_nothing_else()
    {
        using var notice = new CancellationTokenSource();
        var lease = ExecutionBench.Lease(new PayloadSpec
        {
            Kind = PayloadKinds.Command, Argv = ["sh", "-c", "trap 'echo told; exit 85' TERM; sh -c 'trap \"echo child told\" TERM; sleep 0.2; touch ready; sleep 0.8' & while :; do sleep 0.05; done"],
        }) with { Checkpoint = new LeaseCheckpoint("kept", null, true) };
        var run = _bench.Run(lease, notice: notice.Token);
        var work = _bench.LastWork;
        await Transport.Make.UntilAsync(() => File.Exists(Path.Combine(work, "ready")), "it runs");
        await notice.CancelAsync();
        var result = await run;
        Assert.That((result.Outcome, result.Reason, result.ExitCode), Is.EqualTo((AttemptOutcomes.Preempted, ExecutionReasons.Checkpointed, (int?)85)), result.Message);
        Assert.That(_bench.Stdout, Is.EqualTo("told\n"));

        Assert.That((await _bench.Sh("exit 85")).Reason, Is.EqualTo(ExecutionReasons.ExitCode), "not declared");
        using var early = new CancellationTokenSource();
        await early.CancelAsync();
        var slow = await _bench.Run(lease with { Payload = lease.Payload with { Argv = ["sleep", "15"] } }, notice: early.Token);
        Assert.That((slow.Outcome, slow.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.Signal)), "a notice that came before the program ends it too");
        Assert.That(slow.Wall, Is.LessThan(TimeSpan.FromSeconds(14)));
    }

    [Test]
    public async Task Nothing_of_an_attempt_shows_in_those_after_it()
    {
        for (var i = 0; i < 12; i++)
        {
            await _bench.Sh("while :; do echo late; echo late >&2; done & (sleep 0.01; echo later) & echo first; echo x > /tmp/left; echo x > /dev/shm/left", l => l.With(x => x with { OutputBytes = 1 << 26 }));
            var next = await _bench.Sh("echo second; ls /tmp /dev/shm /work; ps ax 2>/dev/null | wc -l >&2");
            Assert.That((next.Outcome, _bench.Stdout), Is.EqualTo((AttemptOutcomes.Succeeded, "second\n/dev/shm:\n\n/tmp:\n\n/work:\n")), next.Message);
        }
    }

    [Test]
    public async Task Memory_and_processor_time_of_an_attempt_do_not_count_for_the_next()
    {
        var large = await _bench.Sh("head -c 60000000 /dev/zero | tail -c 60000000 | wc -c; (ulimit -t 1; while :; do :; done); sleep 0.2");
        Assert.That(large.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), large.Message);
        Assert.That(large.PeakMemoryBytes, Is.GreaterThan(50_000_000));
        var small = await _bench.Sh("sleep 0.2");
        Assert.That(small.PeakMemoryBytes, Is.LessThan(20_000_000));
        Assert.That(large.Cpu - small.Cpu, Is.GreaterThan(TimeSpan.FromMilliseconds(500)), $"{large.Cpu} and then {small.Cpu}");
    }

    [Test]
    public async Task Network_is_what_the_job_asks_for_whatever_ran_before()
    {
        var machine = File.ReadAllLines("/proc/net/dev").Length;
        for (var i = 0; i < 3; i++)
        {
            await _bench.Sh("wc -l < /proc/net/dev");
            Assert.That(_bench.Stdout.Trim(), Is.EqualTo("3"), "two lines of heading and loopback");
            await _bench.Sh("wc -l < /proc/net/dev", l => l with { Network = "full" });
            Assert.That(_bench.Stdout.Trim(), Is.EqualTo($"{machine}"));
        }
    }

    [Test]
    public async Task Has_no_network()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var connect = $"use Socket; socket(S,PF_INET,SOCK_STREAM,0) or die; connect(S,sockaddr_in({port},inet_aton('127.0.0.1'))) or die \"refused\"; print 'connected'";
        var closed = await _bench.Run(["perl", "-e", connect]);
        Assert.That(closed.Reason, Is.EqualTo(ExecutionReasons.ExitCode));
        Assert.That(_bench.Stderr, Does.Contain("refused"));
        Assert.That(listener.Pending(), Is.False);

        var only = await _bench.Sh("cat /proc/net/dev | tail -n +3 | wc -l");
        Assert.That((only.Outcome, _bench.Stdout.Trim()), Is.EqualTo((AttemptOutcomes.Succeeded, "1")), "only the loopback device");

        // The same program connects where the job was granted the network: the refusal above is the sandbox's doing.
        var open = await _bench.Run(["perl", "-e", connect], l => l with { Network = "full" });
        Assert.That((open.Outcome, _bench.Stdout), Is.EqualTo((AttemptOutcomes.Succeeded, "connected")), _bench.Stderr);
    }

    [Test]
    public async Task Sees_nothing_of_the_host_but_its_programs()
    {
        var secret = Path.Combine(_bench.Root, "secret");
        await File.WriteAllTextAsync(secret, "secret");
        foreach (var path in (string[])["/etc/shadow", "/root", "/home", "/var", "/boot", "/sys", "/run", "/mnt", "/proc/kcore", "/proc/sys/kernel/core_pattern", _bench.Root, secret, Path.Combine(_bench.Root, "state", "sandbox")])
        {
            var result = await _bench.Sh($"ls -A '{path}' 2>/dev/null | head -1; cat '{path}' >/dev/null && echo readable; true");
            if (path is "/proc/sys/kernel/core_pattern")
                continue;
            Assert.That(_bench.Stdout, Does.Not.Contain("readable").And.Not.Contain("secret"), path);
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), path);
        }
        await _bench.Sh("ls -A /");
        Assert.That(_bench.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.SubsetOf((string[])["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "proc", "dev", "tmp", "work"]));
    }

    [Test]
    public async Task Does_not_see_other_attempts()
    {
        using var stop = new CancellationTokenSource();
        var marker = Guid.NewGuid().ToString("N");
        var other = _bench.Sh($"echo mine > {marker}; echo {marker} > /tmp/{marker}; sleep 19", stop: stop.Token);
        var otherWork = _bench.LastWork;
        await Eventually(() => File.Exists(Path.Combine(otherWork, marker)));
        var result = await _bench.Sh($"find / -name '{marker}' -not -path '/proc/*' 2>/dev/null; grep -l {marker} /proc/[0-9]*/cmdline 2>/dev/null | grep -v self; ls /work /tmp; echo end");
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded));
        Assert.That(_bench.Stdout, Does.Not.Contain(marker + "\n/").And.EndsWith("end\n"));
        Assert.That(_bench.Stdout, Does.Not.Contain("/work/" + marker).And.Not.Contain("/tmp/" + marker));
        await stop.CancelAsync();
        Assert.That((await other).Outcome, Is.EqualTo(AttemptOutcomes.Cancelled));
    }

    [Test]
    public async Task Cannot_write_outside_its_folders()
    {
        foreach (var target in (string[])["/usr/fog", "/usr/bin/sh", "/etc/passwd", "/fog", "/bin/fog", "/dev/fog", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/fog"])
        {
            var result = await _bench.Sh($"echo x > {target}");
            Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode)), target);
        }
        Assert.That(File.Exists("/usr/fog"), Is.False);
        var own = await _bench.Sh("echo x > /tmp/a && echo x > /dev/shm/a && echo x > /work/a && echo x > ~/b && echo x > $TMPDIR/c");
        Assert.That(own.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), _bench.Stderr);
        Assert.That(File.Exists("/tmp/c"), Is.False);
    }

    [Test]
    public async Task A_command_cannot_reach_or_change_the_root_that_those_after_it_see()
    {
        if (Environment.UserName == "root")
            Assert.That(_bench.Executor.Findings, Has.None.Contains("prepared root"), "as root, commands run in prepared roots");
        const string look = "id -u; ls -A /dev /dev/pts / /tmp /dev/shm /work; cut -d' ' -f 4,5,6 /proc/self/mountinfo | grep -v ' /work '; cat /proc/sys/kernel/hostname; stat -c '%u %a' /tmp /dev/shm /proc/1";
        await _bench.Sh(look);
        var before = _bench.Stdout;
        foreach (var attack in (string[])
        [
            "for f in /x /tmp/../x /dev/x /dev/null/x /usr/x /etc/x /proc/x /bin/x; do echo x > $f; done; rm -rf /dev /etc /tmp /work; mkdir /y; mv /tmp /z; chmod 700 /tmp /dev/shm",
            "umount /proc; umount -l /proc /tmp /work /dev/shm; mount -t proc proc /proc; mount -t tmpfs none /tmp; mount --make-shared /; mount --bind /work /usr; mount -o remount,rw /",
            "hostname other; ipcmk -M 4096; mkdir -p /tmp/a/b /dev/shm/c; echo x > /tmp/a/b/x; ln -s / /tmp/root; mkfifo /dev/shm/f; exec sleep 0.05",
            "(kill -9 0) ; kill -9 1; kill -STOP 1; for p in $(seq 1 64); do kill -9 $p 2>/dev/null; [ -e /proc/$p/root/proc/1/ns ] && ls /proc/$p/root >/dev/null; done; kill -9 -1",
        ])
        {
            await _bench.Sh(attack + "; true");
            await _bench.Sh(look);
            Assert.That(_bench.Stdout, Is.EqualTo(before), attack);
        }
    }

    [Test]
    public async Task Only_its_own_processes_and_descriptors_are_there()
    {
        await _bench.Run(["perl", "-e", "opendir(D, '/proc'); print join(',', sort { $a <=> $b } grep { /^[0-9]+$/ } readdir D), '|'; opendir(F, '/proc/self/fd'); print join(',', sort grep { /^[0-9]+$/ && readlink(\"/proc/self/fd/$_\") !~ m{^/proc} } readdir F), '|'; print open(T, '<', '/dev/tty') ? 'tty' : 'none', '|', -S '/proc/1/fd/0' ? 1 : 0, '|'; opendir(G, '/proc/1/fd'); print join(',', map { readlink(\"/proc/1/fd/$_\") } grep { /^([3-9]|[0-9]{2,})$/ } readdir G)"]);
        Assert.That(_bench.Stdout, Does.Match(@"^1,[0-9]+\|0,1,2\|none\|0\|$"), _bench.Stderr);
    }

    [Test]
    public async Task Passes_variables_of_any_name_and_starts_programs_not_the_shells_own_words()
    {
        Dictionary<string, string> variables = new() { ["with.dot"] = "1", ["IFS"] = "a", ["ENV"] = "$(id)", ["OPTIND"] = "x", ["count"] = "9", ["UID"] = "0", ["PS4"] = "`id`", ["text"] = "a\nb" };
        var result = await _bench.Run(["env", "-0"], l => l with { Payload = l.Payload with { Env = variables } });
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + _bench.Stderr);
        var seen = _bench.Stdout.Split('\0');
        foreach (var (name, value) in variables)
            Assert.That(seen, Does.Contain($"{name}={value}"));

        await _bench.Run(["echo", "a\\tb"]);
        Assert.That(_bench.Stdout, Is.EqualTo("a\\tb\n"), "the program, not the shell's command of that name");
        var own = await _bench.Run(ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["./a=b", "--", "-c"], Env = new Dictionary<string, string> { ["with.dot"] = "1" } }), stage: work => ExecutionBench.WriteProgram(Path.Combine(work, "a=b"), "#!/bin/sh\necho \"$*\"\n"));
        Assert.That((own.Outcome, _bench.Stdout), Is.EqualTo((AttemptOutcomes.Succeeded, "-- -c\n")), own.Message + _bench.Stderr);
    }

    [Test]
    public async Task Has_no_privileges_and_cannot_get_any()
    {
        await _bench.Sh("id -u; grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|CapInh|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'");
        Assert.Multiple(() =>
        {
            Assert.That(_bench.Stdout, Does.Not.StartWith("0\n"));
            foreach (var line in (string[])["CapPrm:0000000000000000", "CapEff:0000000000000000", "CapInh:0000000000000000", "CapAmb:0000000000000000", "NoNewPrivs:1", "Seccomp:2"])
                Assert.That(_bench.Stdout, Does.Contain(line));
        });
        foreach (var attempt in (string[])
        [
            // setuid bits do nothing, neither the host's nor an own copy's
            "cp /usr/bin/id ./id && chmod 4755 ./id && [ \"$(./id -u)\" = 0 ]",
            "[ -u /usr/bin/su ] && [ \"$(echo | su -c 'id -u' 2>/dev/null)\" = 0 ]",
            "unshare -U -r true", "unshare -m true", "mount -t tmpfs none /tmp", "mknod /work/null c 1 3", "chroot / true", "chown 0 .", "setpriv --reuid=0 true",
            "umount /work", "mount -o remount,rw /usr", "hostname other", "ln /usr/bin/env /work/env", "nsenter -t 1 -m true", "fallocate -l 1M big",
        ])
        {
            var result = await _bench.Sh(attempt);
            Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Failed), attempt + "\n" + _bench.Stdout + _bench.Stderr);
            Assert.That(result.Reason, Is.EqualTo(ExecutionReasons.ExitCode), attempt);
        }
    }

    [Test]
    public async Task Runs_as_a_host_user_without_power_over_host_files()
    {
        if (Environment.UserName != "root")
            Assert.Pass("The agent is an ordinary user; the payload has at most its rights and sees none of its files.");
        using var stop = new CancellationTokenSource();
        var running = _bench.Sh("exec sleep 18.123", stop: stop.Token);
        IReadOnlyList<int> found = [];
        await Eventually(() => (found = [.. ExecutionBench.ProcessesNaming("sleep\018.123").Where(p => File.ReadAllText($"/proc/{p}/comm").Trim() == "sleep")]).Count == 1);
        var uids = File.ReadLines($"/proc/{found[0]}/status").First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1..];
        var namespaces = ((string[])["pid", "net", "ipc", "uts", "mnt", "cgroup"]).Where(n => new FileInfo($"/proc/{found[0]}/ns/{n}").LinkTarget == new FileInfo($"/proc/self/ns/{n}").LinkTarget);
        await stop.CancelAsync();
        await running;
        Assert.That(uids, Is.All.Matches<string>(uid => long.Parse(uid) >= 1_990_000_000));
        Assert.That(namespaces, Is.Empty, "namespaces shared with the agent");
    }

    [Test]
    public async Task Cannot_see_or_signal_host_processes()
    {
        using var victim = Process.Start(new ProcessStartInfo("sleep", ["30"]))!;
        try
        {
            await _bench.Sh($"ls /proc | grep -E '^[0-9]+$' | wc -l; kill -9 {victim.Id} {Environment.ProcessId} 2>/dev/null; kill -9 -1; echo alive");
            Assert.That(int.Parse(_bench.Stdout.Split('\n')[0]), Is.LessThan(10));
            Assert.That(victim.HasExited, Is.False);
        }
        finally
        {
            victim.Kill();
        }
    }

    [Test]
    public async Task Stops_at_the_wall_limit()
    {
        var watch = Stopwatch.StartNew();
        var result = await _bench.Sh("trap '' TERM INT HUP; while :; do :; done", l => l.With(x => x with { WallSeconds = 1 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.TimedOut, ExecutionReasons.WallLimit)));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)), "it would never end by itself");
        Assert.That(result.Wall, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(result.ExitCode, Is.Null);
    }

    [Test]
    public async Task Stops_when_told_to()
    {
        using var stop = new CancellationTokenSource();
        var name = "300." + Random();
        var running = _bench.Sh($"setsid sleep {name} & sleep {name}", stop: stop.Token);
        await Eventually(() => ExecutionBench.ProcessesNaming(name).Count >= 3);
        var watch = Stopwatch.StartNew();
        await stop.CancelAsync();
        var result = await running;
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Cancelled, ExecutionReasons.Cancelled)));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(15)), "they would sleep for five minutes");
        Assert.That(ExecutionBench.ProcessesNaming(name), Is.Empty);
    }

    [Test]
    public async Task Stops_a_memory_hog()
    {
        var result = await _bench.Run(["tail", "/dev/zero"], l => l.With(x => x with { MemoryBytes = 64 << 20 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.MemoryLimit)), $"exit {result.ExitCode} {result.Message}");
    }

    [Test]
    public async Task Counts_the_memory_of_all_processes_together()
    {
        var hog = "perl -e '$x = \"a\" x (24 << 20); $x .= \"b\"; sleep 10'";
        var result = await _bench.Sh($"{hog} & {hog} & {hog} & {hog} & wait", l => l.With(x => x with { MemoryBytes = 64 << 20 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.MemoryLimit)), $"exit {result.ExitCode} {result.Message}");
        var alone = await _bench.Sh(hog.Replace("sleep 10", "sleep 1", StringComparison.Ordinal), l => l.With(x => x with { MemoryBytes = 96 << 20 }));
        Assert.That(alone.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), alone.Message);
        Assert.That(alone.PeakMemoryBytes, Is.InRange(24L << 20, 96L << 20));
    }

    [Test]
    public async Task Stops_files_in_memory()
    {
        var result = await _bench.Sh("dd if=/dev/zero of=/dev/shm/a bs=1M count=200 2>/dev/null; exec dd if=/dev/zero of=/tmp/a bs=1M count=200",
            l => l.With(x => x with { MemoryBytes = 32 << 20, DiskBytes = 1L << 30 }));
        // The group kills; by sampling the file system is simply full.
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Failed));
        Assert.That(result.Reason, Is.EqualTo(_kernelKeepsLimits ? ExecutionReasons.MemoryLimit : ExecutionReasons.ExitCode), $"exit {result.ExitCode} {_bench.Stderr}");
    }

    [TestCase("perl -e 'while (1) { fork }' MARK", false)]
    [TestCase(": MARK; b() { b | b & }; b; while :; do sleep 5 & done", true)]
    public async Task Stops_a_fork_bomb(string bomb, bool givesUpWhenRefused)
    {
        var mark = "bomb" + Random();
        var result = await _bench.Sh(bomb.Replace("MARK", mark, StringComparison.Ordinal), l => l.With(x => x with { Processes = 32 }));
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Failed), $"exit {result.ExitCode} {result.Message}");
        // A shell gives up within milliseconds of a refused fork; sampling may then have seen nothing and only knows the exit code.
        if (_kernelKeepsLimits || !givesUpWhenRefused)
            Assert.That(result.Reason, Is.EqualTo(ExecutionReasons.ProcessLimit), $"exit {result.ExitCode} {result.Message}");
        else
            Assert.That(result.Reason, Is.EqualTo(ExecutionReasons.ProcessLimit).Or.EqualTo(ExecutionReasons.ExitCode));
        Assert.That(ExecutionBench.ProcessesNaming(mark), Is.Empty);
    }

    [Test]
    public async Task Names_the_process_limit_when_it_made_the_program_fail()
    {
        var result = await _bench.Run(["perl", "-e", "for (1..40) { defined(my $p = fork) or exit 7; if (!$p) { sleep 5; exit } }"], l => l.With(x => x with { Processes = 16 }));
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Failed), result.Message);
        // By sampling it depends on whether a look fell into the short time before the program gave up.
        Assert.That(result.Reason, Is.EqualTo(ExecutionReasons.ProcessLimit).Or.EqualTo(_kernelKeepsLimits ? ExecutionReasons.ProcessLimit : ExecutionReasons.ExitCode), result.Message);
    }

    [Test]
    public async Task Stops_a_disk_flood_of_many_files()
    {
        var result = await _bench.Sh("i=0; while :; do dd if=/dev/zero of=f$i bs=1M count=4 2>/dev/null; i=$((i+1)); done");
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {result.ExitCode} {result.Message}");
        Assert.That(BytesIn(_bench.LastWork), Is.LessThan(1L << 30), "overshoot: how far it got before the look that stopped it depends on the machine");
    }

    [Test]
    public async Task Stops_a_disk_flood_into_deleted_files()
    {
        var result = await _bench.Run(["perl", "-e", "$b = 'x' x (1<<20); for (1..400) { open($f[$_], '>', \"f$_\"); unlink \"f$_\"; syswrite($f[$_], $b) for 1..4; select(undef,undef,undef,0.005) } sleep 15"]);
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {result.ExitCode} {result.Message} {_bench.Stderr}");
        Assert.That(result.Wall, Is.LessThan(TimeSpan.FromSeconds(14)), "it sleeps for longer");
    }

    [Test]
    public async Task Stops_a_single_giant_file()
    {
        var result = await _bench.Run(["dd", "if=/dev/zero", "of=giant", "bs=1M"]);
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {result.ExitCode} {result.Message}");
        Assert.That(new FileInfo(Path.Combine(_bench.LastWork, "giant")).Length, Is.LessThanOrEqualTo(32L << 20));
    }

    [Test]
    public async Task Cannot_hide_files_in_locked_or_endlessly_nested_folders()
    {
        var locked = await _bench.Sh("mkdir -p a/b && head -c 3000000 /dev/zero > a/b/1 && head -c 3000000 /dev/zero > a/b/2 && chmod 000 a/b a .", l => l.With(x => x with { DiskBytes = 4 << 20 }));
        Assert.That((locked.Outcome, locked.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {locked.ExitCode} {locked.Message}");
        WorkFolders.Remove(_bench.LastWork);
        Assert.That(Directory.Exists(_bench.LastWork), Is.False);

        var nested = await _bench.Run(["perl", "-e", "my $n = 'd' x 250; for (1..60) { mkdir $n; chdir $n or die } open(F, '>', 'x'); print F 'x'"], l => l.Collecting("**"));
        Assert.That((nested.Outcome, nested.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {nested.ExitCode} {nested.Message} {_bench.Stderr}");
        WorkFolders.Remove(_bench.LastWork);
        Assert.That(Directory.Exists(_bench.LastWork), Is.False, "even such a folder can be removed");
    }

    [Test]
    public async Task Notices_too_much_disk_even_after_a_quick_end()
    {
        var result = await _bench.Sh("head -c 3000000 /dev/zero > a; head -c 3000000 /dev/zero > b", l => l.With(x => x with { DiskBytes = 4 << 20 }));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.DiskLimit)), $"exit {result.ExitCode} {result.Message}");
    }

    [Test]
    public async Task Stops_a_flood_of_standard_output()
    {
        foreach (var script in (string[])["cat /dev/zero", "cat /dev/zero >&2", "cat /dev/zero & cat /dev/zero >&2"])
        {
            var result = await _bench.Sh(script, l => l.With(x => x with { OutputBytes = 1 << 20 }));
            Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.OutputLimit)), $"exit {result.ExitCode} {result.Message}");
            Assert.That(BytesIn(_bench.LastLog), Is.EqualTo(1 << 20), script);
        }
    }

    [Test]
    public async Task Leftover_daemons_end_with_the_attempt()
    {
        var name = "301." + Random();
        var result = await _bench.Sh($"setsid sleep {name} & (trap '' HUP TERM; sleep {name}) & nohup setsid sh -c 'sleep {name} & sleep {name}' >/dev/null 2>&1 & sleep 0.2; echo done");
        Assert.That((result.Outcome, _bench.Stdout), Is.EqualTo((AttemptOutcomes.Succeeded, "done\n")), result.Message);
        Assert.That(result.Wall, Is.LessThan(TimeSpan.FromSeconds(20)), "what was left behind sleeps for five minutes");
        Assert.That(ExecutionBench.ProcessesNaming(name), Is.Empty);
    }

    [Test]
    public async Task Names_exit_codes_signals_and_missing_programs()
    {
        var code = await _bench.Sh("exit 42");
        Assert.That((code.Outcome, code.Reason, code.ExitCode), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode, 42)));
        var signal = await _bench.Sh("kill -SEGV $$");
        Assert.That((signal.Outcome, signal.Reason, signal.ExitCode), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.Signal, 139)));
        foreach (var argv in (string[][])[["no-such-program"], ["/no/such"], ["./missing"], [""], ["/etc/passwd"]])
            Assert.That((await _bench.Run(argv)).Reason, Is.EqualTo(ExecutionReasons.ProgramNotFound), argv[0]);
        Assert.That((await _bench.Run([])).Reason, Is.EqualTo(ExecutionReasons.ParameterInvalid));
        Assert.That((await _bench.Run(["echo", "a\0b"])).Reason, Is.EqualTo(ExecutionReasons.ParameterInvalid));
        // A payload that talks like the sandbox does not become the device's fault.
        var liar = await _bench.Sh("echo 'bwrap: Cannot do anything' >&2; exit 1");
        Assert.That((liar.Outcome, liar.Reason), Is.EqualTo((AttemptOutcomes.Failed, ExecutionReasons.ExitCode)));
    }

    [Test]
    public async Task Runs_a_staged_program_and_reads_staged_inputs()
    {
        var result = await _bench.Run(ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["./tool", "in/data"] }).Collecting("out"), stage: work =>
        {
            ExecutionBench.WriteProgram(Path.Combine(work, "tool"), "#!/bin/sh\ncat \"$1\" > out && rm \"$1\" && rmdir in\n");
            Directory.CreateDirectory(Path.Combine(work, "in"));
            File.WriteAllText(Path.Combine(work, "in/data"), "staged");
        });
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message + _bench.Stderr);
        Assert.That(File.ReadAllText(result.Outputs.Single().AbsolutePath), Is.EqualTo("staged"));
    }

    [Test]
    public async Task Output_can_be_followed_while_it_runs()
    {
        using var stop = new CancellationTokenSource();
        var running = _bench.Sh("echo first; sleep 15", stop: stop.Token);
        var log = Path.Combine(_bench.LastLog, "stdout");
        await Eventually(() => File.Exists(log) && ReadShared(log) == "first\n");
        await stop.CancelAsync();
        await running;
    }

    [TestCase("ln -s /etc/passwd out", "out", ExecutionReasons.OutputUnsafe)]
    [TestCase("ln -s /etc/passwd out", "*", ExecutionReasons.OutputUnsafe)]
    [TestCase("ln -s / out", "out/etc/passwd", ExecutionReasons.OutputUnsafe)]
    [TestCase("mkdir a; ln -s /etc a/b", "a/b/passwd", ExecutionReasons.OutputUnsafe)]
    [TestCase("mkfifo out", "out", ExecutionReasons.OutputUnsafe)]
    [TestCase("perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0); bind(S,sockaddr_un(\"out\")) or die'", "o*", ExecutionReasons.OutputUnsafe)]
    [TestCase("true", "../*", ExecutionReasons.OutputUnsafe)]
    [TestCase("true", "a/../../x", ExecutionReasons.OutputUnsafe)]
    [TestCase("true", "/etc/passwd", ExecutionReasons.OutputUnsafe)]
    [TestCase("true", "missing", ExecutionReasons.OutputMissing)]
    [TestCase("mkdir out", "out", ExecutionReasons.OutputMissing)]
    [TestCase("head -c 9000000 /dev/zero > out", "out", ExecutionReasons.OutputLimit)]
    [TestCase("truncate -s 1T out", "out", ExecutionReasons.DiskLimit)]
    [TestCase("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero > out", "out", ExecutionReasons.OutputLimit)]
    public async Task Refuses_outputs(string script, string pattern, string reason)
    {
        var result = await _bench.Sh(script, l => l.Collecting(pattern));
        Assert.That((result.Outcome, result.Reason), Is.EqualTo((AttemptOutcomes.Failed, reason)), $"{result.Message} {_bench.Stderr}");
        Assert.That(result.Outputs, Is.Empty);
    }

    [Test]
    public async Task Collects_by_pattern_and_never_through_links()
    {
        var result = await _bench.Sh("mkdir -p a/b; echo 1 > a/1.txt; echo 2 > a/b/2.txt; echo 3 > 3.txt; echo x > a/x.log; ln a/1.txt a/b/hard.txt; ln -s /usr/share far; chmod 000 a/b/2.txt",
            l => l.Collecting("**/*.txt", "nothing/*"));
        Assert.That(result.Outcome, Is.EqualTo(AttemptOutcomes.Succeeded), result.Message);
        Assert.That(result.Outputs.Select(o => o.Path), Is.EqualTo((string[])["3.txt", "a/1.txt", "a/b/2.txt", "a/b/hard.txt"]));
        var none = await _bench.Sh("echo 1 > a");
        Assert.That(none.Outputs, Is.Empty, "nothing asked, nothing collected");
    }

    [Test]
    public async Task Many_attempts_in_parallel_do_not_disturb_each_other()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 24).Select(async i =>
        {
            var lease = ExecutionBench.Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = ["sh", "-c", $"echo {i} > out; exit {i % 3}"] }).Collecting("out");
            return (i, Result: await _bench.Run(lease));
        }));
        foreach (var (i, result) in results)
        {
            Assert.That(result.ExitCode, Is.EqualTo(i % 3), result.Message);
            if (i % 3 == 0)
                Assert.That(File.ReadAllText(result.Outputs.Single().AbsolutePath), Is.EqualTo($"{i}\n"));
        }
    }

    private static string Random() => Guid.NewGuid().ToByteArray()[..4].Aggregate("", (text, b) => text + (b % 10)) + Environment.ProcessId;

    private static long BytesIn(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    private static async Task Eventually(Func<bool> condition)
    {
        for (var i = 0; i < 3_000 && !condition(); i++)
            await Task.Delay(20);
        Assert.That(condition(), Is.True);
    }
}
