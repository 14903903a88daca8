using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FogCompute.Node.Control;
using FogCompute.Node.Execution;
using FogCompute.Node.Policy;
using FogCompute.Node.Probes;
using FogCompute.Node.State;
using FogCompute.Node.Transport;
using FogCompute.Protocol;

namespace FogCompute.Node;

/// <summary>Makes the executor of this device.</summary>
/// <param name="folder">Folder the executor may keep things in.</param>
/// <param name="allowProcessIsolation">Whether the owner accepts payloads without a sandbox.</param>
public delegate Task<IAttemptExecutor> ExecutorFactory(string folder, bool allowProcessIsolation, TimeProvider clock, CancellationToken stop);

/// <summary>
/// The life of one agent: take the state folder, enrol, take up what a former process left, run the loops, hand everything back at the end.
/// </summary>
public sealed class AgentHost(NodeOptions options, ExecutorFactory executors, ISensors sensors, TimeProvider clock, NodeLog log)
{
    private const string Stopping = "agent_stopping";
    private static readonly TimeSpan FinishPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan GoodbyePatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ReportPatience = TimeSpan.FromSeconds(12);

    private readonly Random _random = new(HashCode.Combine(options.DeviceId, clock.GetTimestamp()));
    private readonly TaskCompletionSource<AgentException> _fatal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Runs until stopped (then exit code 0, within 30 s) or until it cannot go on.</summary>
    /// <exception cref="AgentException">It could not start, or the control plane sent it away.</exception>
    public async Task<int> RunAsync(CancellationToken stop)
    {
        HarvestSettings settings;
        try
        {
            settings = HarvestSettings.Load(options.Policy);
        }
        catch (PolicyException error)
        {
            throw new AgentException(ExitCodes.Usage, error.Message);
        }
        using var folder = StateFolder.Open(options.StateFolder);
        using var identity = DeviceIdentity.Load(folder, options.DeviceId, options.Server);
        if (await ProbeAsync(folder, stop) is not { } probed)
            return ExitCodes.Ok;
        await using var executor = probed;
        var machine = CapabilityProbe.Measure(folder.Root, "/");
        var offer = MakeOffer(machine, settings);
        var registration = Describe(machine, offer, identity, executor);

        var contact = new Contact(clock, log, message => _fatal.TrySetResult(new AgentException(ExitCodes.Auth, message)));
        using var client = new ControlPlaneClient(options.Server, options.DeviceId, () => identity.DeviceKey, clock);
        using var journal = Journal.Open(folder.Journal, log, out var contents);
        folder.RemoveLeftovers(contents.Reports.Select(r => r.Report.AttemptId).ToHashSet());
        using var artifacts = new ArtifactStore(client, folder, options.CacheMb << 20, clock, _random, log);
        var sender = new ReportSender(client, journal, contact, clock, _random, log);
        using var engine = new AttemptEngine(offer, folder, journal, executor, artifacts, identity, clock, log, sender.Enqueue);
        PollLoop? poll = null;
        PolicyMonitor? monitor = null;
        (bool, string?, int)? applied = null;
        using var harvest = monitor = new PolicyMonitor(settings, sensors, options.SensorsFile, folder, () => engine.Running, () => client.Transferred, verdict =>
        {
            engine.Apply(verdict, settings.MaxCpu > 0 ? verdict.CpuLimit / settings.MaxCpu : 1);
            var now = (verdict.TakesWork, verdict.Reason, engine.Slots);
            if (applied is not null && applied != now)
                poll?.Wake();
            applied = now;
        }, clock, log);
        using var polling = poll = new PollLoop(client, engine, contact, () => Condition(monitor, engine), clock, _random, log);
        var progress = new ProgressLoop(client, engine, contact, clock, _random);

        log.Info("started", $"fog-node {options.DeviceId} works for {options.Server}.", ("pid", Environment.ProcessId), ("state", folder.Root),
            ("cores", registration.CpuCores), ("memory_mb", registration.MemoryMb), ("slots", offer.Slots),
            ("kinds", string.Join(',', executor.PayloadKinds)), ("isolation", string.Join(',', executor.Isolation)));

        using var taking = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var serving = new CancellationTokenSource();
        using var sending = new CancellationTokenSource();
        var server = GuardAsync("control socket", ControlSocket.ServeAsync(folder.Root, (word, t) => AnswerAsync(word, monitor, engine, sender, contact, identity, executor, t), log, serving.Token));
        var loops = new List<Task>();
        var reporting = Task.CompletedTask;
        try
        {
            await monitor.EvaluateAsync(stop);
            if (identity.DeviceKey is null)
                await EnrolAsync(client, identity, registration, contact, stop);
            else
                loops.Add(GuardAsync("registration", EnrolAsync(client, identity, registration, contact, taking.Token)));
            engine.Resume(contents);
            reporting = GuardAsync("reports", sender.RunAsync(engine.Settle, sending.Token));
            loops.Add(GuardAsync("poll", poll.RunAsync(taking.Token)));
            loops.Add(GuardAsync("progress", progress.RunAsync(taking.Token)));
            loops.Add(GuardAsync("policy", monitor.RunAsync(taking.Token)));
            loops.Add(GuardAsync("summary", SummarizeAsync(engine, journal, taking.Token)));
            await Task.WhenAny(_fatal.Task, Task.Delay(Timeout.InfiniteTimeSpan, clock, stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped before it was enrolled; there is nothing to hand back, the code below ends quickly.
        }
        finally
        {
            await taking.CancelAsync();
            await HandBackAsync(client, engine, sender, monitor, contact, sendable: identity.DeviceKey is not null && !(_fatal.Task.IsCompleted && (await _fatal.Task).ExitCode == ExitCodes.Auth));
            await sending.CancelAsync();
            await serving.CancelAsync();
            await Task.WhenAll([.. loops, reporting, server]);
        }
        if (_fatal.Task.IsCompleted)
        {
            var error = await _fatal.Task;
            if (error.ExitCode == ExitCodes.Auth)
                // The next start must introduce itself again instead of trusting that it is registered.
                identity.ForgetRegistration();
            throw error;
        }
        log.Info("stopped", "fog-node stopped.");
        return ExitCodes.Ok;
    }

    /// <summary>The executor; null when the agent was stopped while it still tried out what this machine can do: nothing was begun.</summary>
    private async Task<IAttemptExecutor?> ProbeAsync(StateFolder folder, CancellationToken stop)
    {
        try
        {
            return await executors(folder.Executor, options.AllowProcessIsolation, clock, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            log.Info("stopped", "fog-node stopped before it had started.");
            return null;
        }
    }

    private Offer MakeOffer(Capabilities machine, HarvestSettings settings)
    {
        var cores = options.Cpu ?? Math.Max(1, Math.Floor(machine.Cores * settings.MaxCpu * 100) / 100);
        var memory = options.MemoryMb ?? Math.Max(1, (long)(machine.MemoryMb * settings.MaxMemory));
        return new Offer(options.Slots ?? Math.Clamp((int)cores, 1, 1024), (int)Math.Round(cores * 1000), memory << 20, options.Network);
    }

    private DeviceRegistration Describe(Capabilities machine, Offer offer, DeviceIdentity identity, IAttemptExecutor executor) => new()
    {
        DeviceId = options.DeviceId,
        DeviceType = options.DeviceType,
        CpuCores = offer.CpuMillicores / 1000.0,
        MemoryMb = offer.MemoryBytes >> 20,
        Name = options.Name ?? Environment.MachineName,
        Platform = machine.Platform,
        DiskMb = machine.DiskMb,
        Slots = offer.Slots,
        Isolation = executor.Isolation,
        PayloadKinds = executor.PayloadKinds,
        NetworkAllowed = options.Network,
        Labels = options.Labels.Count > 0 ? options.Labels : null,
        Region = options.Region,
        BenchmarkScore = machine.BenchmarkScore,
        CpuGhz = machine.CpuGhz,
        PublicKey = identity.PublicKey,
    };

    /// <summary>Registers unless the control plane knows all this already. Waits for a control plane that does not answer.</summary>
    private async Task EnrolAsync(ControlPlaneClient client, DeviceIdentity identity, DeviceRegistration registration, Contact contact, CancellationToken stop)
    {
        var told = JsonSerializer.Serialize(registration, WireJson.Requests) + "\n" + options.Token;
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(told)));
        if (identity.DeviceKey is not null && identity.RegisteredAs == fingerprint)
            return;
        // A token speaks for itself. Without one, a known device shows its key; a control plane on this machine may need nothing at all.
        // A token that was used up already (a service that is started with the same line again) does not lock a known device out.
        var credentials = new Queue<string?>();
        if (options.Token is { } token)
            credentials.Enqueue(token);
        if (identity.DeviceKey is { } key)
            credentials.Enqueue(key);
        if (options.Token is null)
            credentials.Enqueue(null);
        var backoff = new Backoff(clock, _random);
        while (true)
        {
            try
            {
                var answer = await client.RegisterAsync(registration, credentials.Peek(), stop);
                contact.Made();
                if (answer.DeviceToken is null && identity.DeviceKey is null)
                    throw new AgentException(ExitCodes.Auth,
                        $"The control plane knows device '{options.DeviceId}' but its key is not in {options.StateFolder}. Remove the device there, then start fog-node with a new --token.");
                identity.Enrolled(answer.DeviceToken, fingerprint);
                log.Info("enrolled", "The control plane registered this device.", ("status", answer.Status));
                return;
            }
            catch (ControlPlaneException error) when (error.Fault == ControlPlaneFault.NotAllowed)
            {
                credentials.Dequeue();
                if (credentials.Count > 0)
                    continue;
                if (identity.DeviceKey is not null)
                {
                    log.Warning("registration_kept", $"The changed capabilities could not be registered, the former registration stays: {error.Message}");
                    return;
                }
                throw new AgentException(ExitCodes.Auth, options.Token is null
                    ? $"{error.Message} This device is not enrolled yet: get an enrolment token from the control plane and start fog-node with --token."
                    : $"{error.Message} The enrolment token is wrong, used up or expired: get a new one and start fog-node with --token.");
            }
            catch (ControlPlaneException error) when (error.Fault == ControlPlaneFault.Refused)
            {
                throw new AgentException(ExitCodes.Error, error.Status == System.Net.HttpStatusCode.Conflict
                    ? $"{error.Message} The id '{options.DeviceId}' belongs to another owner; choose another --id."
                    : $"The control plane refuses the registration. {error.Message}");
            }
            catch (ControlPlaneException error)
            {
                contact.Lost(error);
                await backoff.WaitAsync(error.RetryAfter, stop);
            }
        }
    }

    private static DeviceCondition Condition(PolicyMonitor monitor, AttemptEngine engine)
    {
        var (verdict, readings) = (monitor.Verdict, monitor.Sensors);
        return new DeviceCondition
        {
            State = !verdict.TakesWork ? verdict.State : engine.Running > 0 ? HarvestStates.Contributing : HarvestStates.Eligible,
            Reason = verdict.Reason,
            Slots = engine.LeasesWanted,
            BatteryPercent = readings.BatteryPercent,
            Charging = readings.Charging,
            TemperatureCelsius = readings.TemperatureCelsius,
            OtherCpu = readings.OtherCpu is { } cpu ? Math.Round(cpu, 4) : null,
            UserIdleSeconds = readings.UserIdleSeconds is { } idle ? Math.Round(idle) : null,
        };
    }

    /// <summary>Ends all work: what is about to finish may, the rest is handed back, reports go out, the control plane hears the goodbye.</summary>
    private async Task HandBackAsync(ControlPlaneClient client, AttemptEngine engine, ReportSender sender, PolicyMonitor monitor, Contact contact, bool sendable)
    {
        var reason = sendable ? Stopping : "device_key_rejected";
        engine.Close(reason);
        var heard = false;
        if (sendable)
        {
            // Said before anything is handed back: otherwise the control plane could give the very task that comes back to this device again,
            // and it would wait there until the device counts as lost.
            var goodbye = SayGoodbyeAsync(client, engine, monitor, contact);
            await UntilAsync(() => engine.Running == 0, FinishPatience);
            heard = await goodbye;
        }
        engine.StopAll(AttemptOutcomes.Evicted, reason);
        if (!await UntilAsync(() => engine.Running == 0, StopPatience))
            log.Error("stop_slow", "Some attempts did not stop in time.", ("running", engine.Running));
        if (sendable)
        {
            // Once more: leases that were being written while the first goodbye was read come back here and are handed back.
            if (heard)
                await SayGoodbyeAsync(client, engine, monitor, contact);
            if (!await UntilAsync(() => engine.InFlight == 0 && sender.Unsent == 0, contact.Trouble is null ? ReportPatience : FinishPatience))
                log.Warning("results_kept", "Some results could not be delivered now; they are kept and sent at the next start.", ("results", sender.Unsent + engine.InFlight));
        }
        await engine.AbandonAsync();
        await UntilAsync(() => engine.InFlight == 0, StopPatience);
    }

    /// <summary>Tells the control plane that this device takes no more work, and takes in what it leased meanwhile; whether it was heard.</summary>
    private async Task<bool> SayGoodbyeAsync(ControlPlaneClient client, AttemptEngine engine, PolicyMonitor monitor, Contact contact)
    {
        using var limit = new CancellationTokenSource(GoodbyePatience, clock);
        try
        {
            var held = engine.Held();
            var answer = await client.PollAsync(new LeasePollRequest
            {
                WaitSeconds = 0,
                Held = held,
                Condition = Condition(monitor, engine) with { State = HarvestStates.Disabled, Reason = Stopping },
            }, limit.Token);
            engine.Handle(answer, held);
            return true;
        }
        catch (Exception error) when (error is ControlPlaneException or OperationCanceledException)
        {
            if (error is ControlPlaneException { Fault: not ControlPlaneFault.NotAllowed } fault)
                contact.Lost(fault);
            log.Info("goodbye_unheard", $"The control plane could not be told that this device stops: {error.Message}");
            return false;
        }
    }

    private async Task<bool> UntilAsync(Func<bool> condition, TimeSpan patience)
    {
        var start = clock.GetTimestamp();
        while (!condition())
        {
            if (clock.GetElapsedTime(start) >= patience)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock);
        }
        return true;
    }

    /// <summary>A line every half minute in which something happened, instead of one per attempt. Also brings the journal's tail to the system.</summary>
    private async Task SummarizeAsync(AttemptEngine engine, Journal journal, CancellationToken stop)
    {
        var last = engine.Counts();
        var ticks = 0;
        using var beat = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        while (await beat.WaitForNextTickAsync(stop))
        {
            journal.Flush(toDisk: false);
            if (++ticks % 30 != 0)
                continue;
            var now = engine.Counts();
            if (now.Succeeded + now.Failed + now.Evicted + now.Other != last.Succeeded + last.Failed + last.Evicted + last.Other)
                log.Info("summary", "Attempts ended since the last summary.", ("succeeded", now.Succeeded - last.Succeeded), ("failed", now.Failed - last.Failed),
                    ("evicted", now.Evicted - last.Evicted), ("other", now.Other - last.Other), ("running", now.Running), ("queued", now.Queued));
            last = now;
        }
    }

    /// <summary>A loop ends by cancellation only; anything else ends the agent with a message instead of leaving it half alive.</summary>
    private async Task GuardAsync(string what, Task loop)
    {
        try
        {
            await loop;
        }
        catch (OperationCanceledException)
        {
            // Shutdown.
        }
        catch (AgentException error)
        {
            _fatal.TrySetResult(error);
        }
        catch (Exception error)
        {
            log.Error("agent_fault", $"The {what} loop failed: {error}");
            _fatal.TrySetResult(new AgentException(ExitCodes.Error, $"The agent cannot go on, its {what} part failed: {error.Message}"));
        }
    }

    private async Task<NodeStatus?> AnswerAsync(string word, PolicyMonitor monitor, AttemptEngine engine, ReportSender sender, Contact contact,
        DeviceIdentity identity, IAttemptExecutor executor, CancellationToken stop)
    {
        switch (word)
        {
            case "status":
                break;
            case "pause" or "resume":
                await monitor.PauseAsync(word == "pause", stop);
                break;
            default:
                return null;
        }
        var (verdict, readings, counts) = (monitor.Verdict, monitor.Sensors, engine.Counts());
        return new NodeStatus
        {
            DeviceId = options.DeviceId,
            Server = options.Server.AbsoluteUri,
            Pid = Environment.ProcessId,
            State = !verdict.TakesWork ? verdict.State : counts.Running > 0 ? HarvestStates.Contributing : HarvestStates.Eligible,
            Reason = verdict.Reason,
            Reasons = [.. verdict.Blockers.Select(b => new StatusReason(b.Reason, b.Message))],
            Since = monitor.Since,
            NotBefore = verdict.NotBefore,
            Paused = monitor.Paused,
            Enrolled = identity.DeviceKey is not null,
            Connected = contact.Trouble is null && contact.LastAnswer is not null,
            LastContact = contact.LastAnswer,
            Trouble = contact.Trouble,
            Slots = engine.Slots,
            CpuLimit = verdict.CpuLimit,
            Queued = counts.Queued,
            Running = counts.Running,
            Uploading = counts.Uploading,
            Unreported = sender.Unsent,
            Succeeded = counts.Succeeded,
            Failed = counts.Failed,
            Evicted = counts.Evicted,
            BatteryPercent = readings.BatteryPercent,
            Charging = readings.Charging,
            TemperatureCelsius = readings.TemperatureCelsius,
            OtherCpu = readings.OtherCpu,
            UserIdleSeconds = readings.UserIdleSeconds,
            Network = readings.Network,
            Isolation = executor.Isolation,
            PayloadKinds = executor.PayloadKinds,
            Attempts = [.. engine.List(32).Select(a => new StatusAttempt(a.Attempt, a.Job, a.Phase.ToString().ToLowerInvariant(), a.Started))],
        };
    }
}
