using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace FogCompute.Dispatch;

/// <summary>Jobs per second of Slurm on this machine, by way of submit and in all: the better of the two is compared with.</summary>
/// <param name="Version">As <c>slurmctld -V</c> says.</param>
/// <param name="Parameters">The SchedulerParameters that did better in the trial.</param>
/// <param name="Jobs">Jobs submitted in each way.</param>
/// <param name="ArrayPerSecond">One <c>sbatch --array</c> of all jobs, from its start to the end of the last job.</param>
/// <param name="SeparatePerSecond">One <c>sbatch</c> per job from four shell loops; null: no time was left for it.</param>
internal sealed record SlurmFigures(string Version, string Parameters, int Jobs, double ArrayPerSecond, double? SeparatePerSecond)
{
    public double Best => Math.Max(ArrayPerSecond, SeparatePerSecond ?? 0);
}

/// <summary>
/// A Slurm of its own: munged, slurmctld and slurmd in a temporary folder, on loopback, one node, started and stopped by this process.
/// Settings follow Slurm's High Throughput Computing Administration Guide: no accounting, no completion log, FIFO priority and the builtin scheduler,
/// several controller ports, ten munge threads, errors only in the logs. Not followed: MinJobAge stays long, so that every job can be counted as completed.
/// <para>
/// This version fills freed slots about once a second whatever its parameters say, so with no-op jobs it never ends more per second than it has slots: 32, as one of
/// our agents. With 128 slots (as our four agents have together) it did some 36 a second when that was tried.
/// </para>
/// </summary>
internal sealed class Slurm : IAsyncDisposable
{
    public const int Slots = 32;
    private const int TrialJobs = 4 * Slots;

    /// <summary>
    /// What the guide suggests against many submits (put scheduling off and do it in bulk), and its opposite (schedule whenever a job ends, at most
    /// 50 times a second): on one small node either may be the faster, so a short trial decides.
    /// </summary>
    private static readonly string[] Candidates =
    [
        "defer,batch_sched_delay=1,sched_interval=1,sched_min_interval=100000,default_queue_depth=1000,partition_job_depth=0,sched_max_job_start=200",
        "batch_sched_delay=1,sched_interval=1,sched_min_interval=20000,default_queue_depth=1000",
    ];

    private static readonly string[] Programs = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel", "scontrol"];

    /// <summary>States of a job that has not ended.</summary>
    private const string Open = "PENDING,CONFIGURING,RUNNING,COMPLETING";

    private readonly string _home = Directory.CreateTempSubdirectory("fog-slurm-").FullName;
    private readonly List<Process> _daemons = [];

    private Slurm() { }

    private string Configuration => Path.Combine(_home, "slurm.conf");

    /// <summary>Why Slurm cannot be measured here, or null.</summary>
    public static string? Absent()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            return "Slurm starts jobs as their user, which takes root on Linux";
        var missing = Programs.Where(p => Find(p) is null).ToList();
        return missing.Count == 0 ? null : $"not installed: {string.Join(", ", missing)} (Debian: slurm-wlm, munge)";
    }

    /// <param name="jobs">Jobs that run <c>/bin/true</c>, in each way of submitting.</param>
    /// <param name="limit">For all of it; the second way is left out when there is no time for it.</param>
    public static async Task<SlurmFigures> MeasureAsync(int jobs, TimeSpan limit, CancellationToken cancel)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        bound.CancelAfter(limit);
        var clock = Stopwatch.StartNew();
        await using var slurm = new Slurm();
        try
        {
            var version = (await slurm.RunAsync("slurmctld", ["-V"], bound.Token)).Trim();
            await slurm.StartAsync(bound.Token);
            var (parameters, best) = (Candidates[0], 0.0);
            foreach (var candidate in Candidates)
            {
                await slurm.UseAsync(candidate, bound.Token);
                var rate = await slurm.ArrayAsync(TrialJobs, bound.Token);
                if (rate > best)
                    (parameters, best) = (candidate, rate);
            }
            await slurm.UseAsync(parameters, bound.Token);
            var array = await slurm.ArrayAsync(jobs, bound.Token);
            double? separate = null;
            try
            {
                if (limit - clock.Elapsed > TimeSpan.FromSeconds(jobs / array))
                    separate = await slurm.SeparateAsync(jobs, bound.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                Console.Error.WriteLine($"Slurm's jobs one by one did not end within the {limit.TotalSeconds:0} s that Slurm has; the array counts.");
            }
            return new SlurmFigures(version, parameters, jobs, array, separate);
        }
        catch (OperationCanceledException late) when (!cancel.IsCancellationRequested)
        {
            throw new InvalidOperationException($"Slurm did not run {jobs} jobs within {limit.TotalSeconds:0} s. {slurm.Logs()}", late);
        }
    }

    private async Task StartAsync(CancellationToken cancel)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Slurm runs on Linux.");
        // munged insists that everybody can reach its socket.
        File.SetUnixFileMode(_home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var key = Path.Combine(_home, "munge.key");
        await File.WriteAllBytesAsync(key, RandomNumberGenerator.GetBytes(1024), cancel);
        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        foreach (var folder in new[] { "state", "spool" })
            Directory.CreateDirectory(Path.Combine(_home, folder));
        await File.WriteAllTextAsync(Configuration, Configure(Candidates[0], FreePorts(5)), cancel);
        await File.WriteAllTextAsync(Path.Combine(_home, "true.sh"), "#!/bin/sh\nexec /bin/true\n", cancel);

        Start("munged", "--foreground", "--num-threads=10", $"--socket={_home}/munge.socket", $"--key-file={key}", $"--pid-file={_home}/munged.pid", $"--seed-file={_home}/munged.seed", $"--log-file={_home}/munged.log");
        await UntilAsync(() => Task.FromResult(File.Exists(Path.Combine(_home, "munge.socket"))), cancel);
        Start("slurmctld", "-D", "-i", "-f", Configuration);
        Start("slurmd", "-D", "-f", Configuration, "-N", Node);
        await UntilAsync(async () => (await TryAsync("sinfo", ["-h", "-p", "main", "-o", "%T"], cancel))?.Trim() == "idle", cancel);
    }

    /// <summary>SlurmUser is root since nobody else need exist here; linuxproc finds a job's processes without any right over cgroups.</summary>
    private string Configure(string parameters, int[] ports) =>
        $"""
        ClusterName=bench
        SlurmctldHost={Node}(127.0.0.1)
        SlurmctldPort={ports[0]}-{ports[3]}
        SlurmdPort={ports[4]}
        SlurmUser=root
        SlurmdUser=root
        AuthType=auth/munge
        CredType=cred/munge
        AuthInfo=socket={_home}/munge.socket
        StateSaveLocation={_home}/state
        SlurmdSpoolDir={_home}/spool
        SlurmctldPidFile={_home}/slurmctld.pid
        SlurmdPidFile={_home}/slurmd.pid
        SlurmctldLogFile={_home}/slurmctld.log
        SlurmdLogFile={_home}/slurmd.log
        SlurmctldDebug=error
        SlurmdDebug=error
        MailProg=/bin/true
        MpiDefault=none
        ProctrackType=proctrack/linuxproc
        TaskPlugin=task/none
        JobAcctGatherType=jobacct_gather/none
        AccountingStorageType=accounting_storage/none
        JobCompType=jobcomp/none
        PriorityType=priority/basic
        SchedulerType=sched/builtin
        SelectType=select/cons_tres
        SelectTypeParameters=CR_Core
        SchedulerParameters={parameters}
        SlurmdParameters=config_overrides
        MessageTimeout=60
        MinJobAge=300
        MaxJobCount=20000
        MaxArraySize=10001
        ReturnToService=2
        KillWait=1
        NodeName={Node} NodeAddr=127.0.0.1 CPUs={Slots} State=UNKNOWN
        PartitionName=main Nodes={Node} Default=YES MaxTime=INFINITE State=UP

        """;

    private async Task UseAsync(string parameters, CancellationToken cancel)
    {
        var lines = await File.ReadAllLinesAsync(Configuration, cancel);
        await File.WriteAllLinesAsync(Configuration, lines.Select(l => l.StartsWith("SchedulerParameters=", StringComparison.Ordinal) ? $"SchedulerParameters={parameters}" : l), cancel);
        await RunAsync("scontrol", ["reconfigure"], cancel);
        await UntilAsync(async () => (await TryAsync("sinfo", ["-h", "-p", "main", "-o", "%T"], cancel))?.Trim() == "idle", cancel);
    }

    private Task<double> ArrayAsync(int jobs, CancellationToken cancel) =>
        TimeAsync(jobs, () => RunAsync("sbatch", ["-Q", $"--array=1-{jobs}", "-n1", "--output=/dev/null", Path.Combine(_home, "true.sh")], cancel), cancel);

    private Task<double> SeparateAsync(int jobs, CancellationToken cancel) =>
        TimeAsync(jobs, () => RunAsync("sh", ["-c", $"for p in 1 2 3 4; do (i=0; while [ $i -lt {jobs / 4} ]; do i=$((i+1)); sbatch -Q -n1 --output=/dev/null {_home}/true.sh || exit 1; done) & done; wait"], cancel), cancel);

    /// <summary>Jobs per second from the first submit until none is left; fails when one of them did not complete.</summary>
    private async Task<double> TimeAsync(int jobs, Func<Task<string>> submit, CancellationToken cancel)
    {
        var before = await CompletedAsync(cancel);
        var clock = Stopwatch.StartNew();
        await submit();
        // Seldom, and one line for all that wait: who watches takes part.
        while ((await RunAsync("squeue", ["-h", "-t", Open, "-o", "%t"], cancel)).Length > 0)
            await Task.Delay(250, cancel);
        var took = clock.Elapsed.TotalSeconds;
        var completed = await CompletedAsync(cancel) - before;
        return completed == jobs ? jobs / took : throw new InvalidOperationException($"Slurm completed {completed} of {jobs} jobs. {Logs()}");
    }

    private async Task<int> CompletedAsync(CancellationToken cancel) =>
        (await RunAsync("squeue", ["-h", "-r", "-t", "COMPLETED", "-o", "%t"], cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

    private static string Node => Dns.GetHostName().Split('.')[0];

    private void Start(string program, params string[] arguments)
    {
        var daemon = Process.Start(Describe(program, arguments))!;
        // Read and dropped (they keep logs of their own): one that nobody reads stops when its pipe is full.
        daemon.BeginOutputReadLine();
        daemon.BeginErrorReadLine();
        _daemons.Add(daemon);
    }

    private ProcessStartInfo Describe(string program, IEnumerable<string> arguments)
    {
        var info = new ProcessStartInfo(Find(program)!, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _home };
        // Each job carries the submitter's environment: as little as there can be.
        info.Environment.Clear();
        info.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        info.Environment["SLURM_CONF"] = Configuration;
        return info;
    }

    private async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        using var process = Process.Start(Describe(program, arguments))!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancel);
            var errors = process.StandardError.ReadToEndAsync(cancel);
            await process.WaitForExitAsync(cancel);
            return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await errors} {Logs()}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>The output, or null when the program failed: a daemon that is not up yet.</summary>
    private async Task<string?> TryAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        try
        {
            return await RunAsync(program, arguments, cancel);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private async Task UntilAsync(Func<Task<bool>> happened, CancellationToken cancel)
    {
        for (var clock = Stopwatch.StartNew(); !await happened(); await Task.Delay(100, cancel))
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(20))
                throw new InvalidOperationException($"Slurm did not come up within 20 s. {Logs()}");
        }
    }

    private string Logs() => string.Join('\n', Directory.GetFiles(_home, "*.log").Select(f => $"{Path.GetFileName(f)}: …{Tail(File.ReadAllText(f))}"));

    private static string Tail(string text) => text.Length <= 600 ? text : text[^600..];

    private static string? Find(string program) =>
        program is "sh" ? "/bin/sh" : new[] { "/usr/sbin", "/usr/bin", "/sbin", "/bin" }.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Neighbouring ports that nobody listens on just now.</summary>
    private static int[] FreePorts(int count)
    {
        for (var first = 27_100; first < 30_000; first += count)
        {
            var ports = Enumerable.Range(first, count).ToArray();
            if (ports.All(IsFree))
                return ports;
        }
        throw new InvalidOperationException("There are no free ports for Slurm between 27100 and 30000.");
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>What waits is cancelled and what runs may end, then the daemons in the reverse order of their start, each given time to end by itself.</summary>
    public async ValueTask DisposeAsync()
    {
        using (var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15)))
        {
            try
            {
                await TryAsync("scancel", ["--state=PENDING", "-u", "root"], patience.Token);
                while (await TryAsync("squeue", ["-h", "-t", Open, "-o", "%t"], patience.Token) is { Length: > 0 })
                    await Task.Delay(250, patience.Token);
            }
            catch (OperationCanceledException)
            {
                Console.Error.WriteLine("Slurm still had jobs when it was stopped.");
            }
        }
        _daemons.Reverse();
        foreach (var daemon in _daemons)
        {
            using (Process.Start("kill", ["-TERM", daemon.Id.ToString(CultureInfo.InvariantCulture)]))
            {
            }
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                await daemon.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                daemon.Kill(entireProcessTree: true);
                await daemon.WaitForExitAsync(CancellationToken.None);
            }
            daemon.Dispose();
        }
        KillSteps();
        Directory.Delete(_home, recursive: true);
    }

    /// <summary>The step daemons of jobs outlive slurmd; those that work in our folder are ours.</summary>
    private void KillSteps()
    {
        foreach (var step in Process.GetProcessesByName("slurmstepd"))
        {
            using (step)
            {
                try
                {
                    if (File.ResolveLinkTarget($"/proc/{step.Id}/cwd", returnFinalTarget: false)?.FullName.StartsWith(_home, StringComparison.Ordinal) != true)
                        continue;
                    step.Kill();
                    step.WaitForExit(2_000);
                }
                catch (Exception gone) when (gone is IOException or InvalidOperationException or UnauthorizedAccessException)
                {
                    // Ended meanwhile, which is what is wanted.
                }
            }
        }
    }
}
