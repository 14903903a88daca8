using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Node.State;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>
/// The way of one attempt: inputs in, run, outputs and logs out, report. Knows nothing of the others; <see cref="AttemptEngine"/> keeps the table and says when.
/// </summary>
/// <param name="closing">Cancelled when the agent ends: uploads under way are given up and stay in the journal.</param>
internal sealed class AttemptRun(AttemptEngine engine, StateFolder folder, Journal journal, IAttemptExecutor executor, ArtifactStore artifacts, TimeProvider clock, NodeLog log,
    CancellationToken closing)
{
    /// <summary>Runs it from its inputs to its report. Never throws: what goes wrong is reported too.</summary>
    public async Task RunAsync(LiveAttempt attempt)
    {
        var lease = attempt.Lease;
        var stop = attempt.Stop!.Token;
        var work = folder.Work(attempt.Id);
        var logs = folder.Logs(attempt.Id);
        try
        {
            using var module = new Releaser();
            // The lease must survive a power cut before anything is done under it; a kernel's lease may as well be given again.
            if (lease.Payload.Kind != PayloadKinds.Builtin)
                journal.EnsureOnDisk(attempt.JournalLine);
            var result = attempt.IsTrivial ? null : await StageInAsync(attempt, work, logs, module, stop);
            if (result is null)
            {
                if (!attempt.IsTrivial)
                    engine.MarkRunning(attempt);
                result = await executor.RunAsync(new ExecutionRequest(lease, work, logs, module.Artifact?.Path, attempt.Noticing.Token), stop);
            }
            await ConcludeRunAsync(attempt, result, work, logs);
        }
        catch (Exception error)
        {
            log.Error("attempt_fault", $"The agent failed at an attempt: {error}", ("attempt", attempt.Id));
            var (outcome, reason) = attempt.StopAs ?? (AttemptOutcomes.DeviceError, "agent_error");
            engine.Conclude(attempt, outcome, reason, $"The agent on the device failed: {error.Message}");
        }
        finally
        {
            if (!attempt.IsTrivial)
                RemoveWork(attempt);
        }
    }

    private sealed class Releaser : IDisposable
    {
        public ArtifactStore.Pinned? Artifact { get; set; }
        public void Dispose() => Artifact?.Dispose();
    }

    private async Task<ExecutionResult?> StageInAsync(LiveAttempt attempt, string work, string logs, Releaser module, CancellationToken stop)
    {
        var lease = attempt.Lease;
        var seconds = lease.Limits.StageInSeconds ?? 600;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        try
        {
            folder.CreateWork(attempt.Id);
            await artifacts.StageAsync(lease.Inputs, attempt.Id, work, both.Token);
            if (lease.Checkpoint is { } checkpoint)
                await RestoreAsync(lease, checkpoint, work, both.Token);
            if (lease.Payload is { Kind: PayloadKinds.Wasm, Module: { } sha })
                module.Artifact = await artifacts.AcquireAsync(sha, attempt.Id, both.Token);
            return null;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Fault(AttemptOutcomes.Cancelled, "stopped", "Stopped while its inputs were fetched.");
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return Fault(AttemptOutcomes.DeviceError, "stage_in_timeout", $"The inputs could not be fetched within {seconds} s.");
        }
        catch (CheckpointException error)
        {
            return Fault(AttemptOutcomes.Failed, ExecutionReasons.CheckpointInvalid, error.Message);
        }
        catch (InputMissingException error)
        {
            return Fault(AttemptOutcomes.Failed, "input_missing", error.Message);
        }
        catch (InputPathException error)
        {
            return Fault(AttemptOutcomes.Failed, "input_path", error.Message);
        }
        catch (Exception error) when (error is ControlPlaneException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return Fault(AttemptOutcomes.DeviceError, "stage_in_failed", $"The inputs could not be laid out: {error.Message}");
        }

        static ExecutionResult Fault(string outcome, string reason, string message) => new() { Outcome = outcome, Reason = reason, Message = message };
    }

    /// <summary>The folder is there before the payload starts: as the last checkpoint left it, else with whatever inputs were laid into it.</summary>
    private async Task RestoreAsync(LeaseMessage lease, LeaseCheckpoint checkpoint, string work, CancellationToken stop)
    {
        var target = ArtifactStore.Resolve(work, checkpoint.Path);
        try
        {
            Directory.CreateDirectory(target);
        }
        catch (IOException) when (lease.Inputs.Any(i => checkpoint.Path == i.Path || checkpoint.Path.StartsWith(i.Path + "/", StringComparison.Ordinal)))
        {
            throw new InputPathException($"The checkpoint folder '{checkpoint.Path}' collides with an input.");
        }
        if (checkpoint.Sha256 is not { } sha)
            return;
        try
        {
            using var archive = await artifacts.AcquireAsync(sha, lease.AttemptId, stop);
            await CheckpointArchive.RestoreAsync(archive.Path, target, DiskLimit(lease), stop);
        }
        catch (InputMissingException)
        {
            throw new CheckpointException($"The checkpoint {sha} does not exist on the control plane any more.");
        }
    }

    private static long DiskLimit(LeaseMessage lease) => lease.Limits.DiskBytes ?? Defaults.DiskBytes;

    /// <summary>Packs the checkpoint into the outbox; null and why when it cannot be kept.</summary>
    private async Task<(PendingFile? File, string? Fault)> PackAsync(LiveAttempt attempt, string work)
    {
        var draft = Path.Combine(Directory.CreateDirectory(folder.Outbox(attempt.Id)).FullName, "checkpoint");
        try
        {
            await CheckpointArchive.PackAsync(work, attempt.Lease.Checkpoint!.Path, draft, DiskLimit(attempt.Lease), CancellationToken.None);
        }
        catch (CheckpointException error)
        {
            return (null, error.Message);
        }
        var sha = await ArtifactStore.HashAsync(draft, CancellationToken.None);
        File.Move(draft, Path.Combine(folder.Outbox(attempt.Id), sha));
        return (new PendingFile("checkpoint", sha, sha, new FileInfo(Path.Combine(folder.Outbox(attempt.Id), sha)).Length), null);
    }

    private async Task ConcludeRunAsync(LiveAttempt attempt, ExecutionResult result, string work, string logs)
    {
        var lease = attempt.Lease;
        var finished = clock.GetUtcNow();
        var (outcome, reason, message) = (result.Outcome, result.Reason, result.Message);
        if (outcome == AttemptOutcomes.Cancelled)
        {
            // A success that beat the stop stays a success; a run that ended because of the stop takes the stop's words.
            (outcome, reason) = attempt.StopAs ?? (AttemptOutcomes.DeviceError, "agent_error");
            message = outcome == AttemptOutcomes.Evicted ? $"The device stopped it: {reason}." : message;
        }
        else if (attempt.Notice is { } notice && (outcome == AttemptOutcomes.Preempted || reason is ExecutionReasons.ExitCode or ExecutionReasons.Signal))
        {
            // It was told to end: how it did so is no fault of its own.
            message = outcome == AttemptOutcomes.Preempted ? $"Told to stop ({notice.Reason}), it wrote its checkpoint." : $"Told to stop ({notice.Reason}), it ended without a checkpoint.";
            (outcome, reason) = (notice.Outcome, notice.Reason);
        }

        var files = new List<PendingFile>();
        PendingFile? checkpoint = null;
        if (result.Outcome == AttemptOutcomes.Preempted && lease.Checkpoint is { Kept: true })
        {
            engine.MarkEnded(attempt);
            (checkpoint, var fault) = await PackAsync(attempt, work);
            if (checkpoint is not null)
                files.Add(checkpoint);
            else
                (outcome, reason, message) = WithoutCheckpoint(outcome, reason, fault!);
        }
        string? stdout = null, stderr = null, tail = null;
        var logBytes = 0L;
        var outputs = new List<OutputFile>();
        if (!attempt.IsTrivial)
        {
            logBytes = LogTail.Length(logs);
            tail = logBytes > 0 ? LogTail.Read(logs, AttemptEngine.LogTailBytes) : null;
            if (outcome is AttemptOutcomes.Succeeded or AttemptOutcomes.Failed or AttemptOutcomes.TimedOut)
            {
                stdout = await AddLogAsync("stdout");
                stderr = await AddLogAsync("stderr");
            }
        }
        if (outcome == AttemptOutcomes.Succeeded && result.Outputs.Count > 0)
        {
            var outbox = folder.Outbox(attempt.Id);
            Directory.CreateDirectory(outbox);
            foreach (var output in result.Outputs)
            {
                var target = Path.Combine(outbox, output.Sha256);
                if (!File.Exists(target))
                    File.Move(output.AbsolutePath, target);
                files.Add(new PendingFile("output", output.Sha256, output.Sha256, output.Size));
                outputs.Add(new OutputFile(output.Path, output.Sha256, output.Size));
            }
        }
        var report = new AttemptReport
        {
            AttemptId = attempt.Id,
            Epoch = lease.Epoch,
            Outcome = outcome,
            Reason = outcome == AttemptOutcomes.Succeeded ? null : reason ?? outcome,
            Message = AttemptEngine.Shorten(outcome == AttemptOutcomes.Succeeded ? null : message),
            ExitCode = result.ExitCode,
            StartedAt = attempt.StartedAt,
            FinishedAt = finished,
            WallMs = (long)Math.Round(result.Wall.TotalMilliseconds),
            CpuMs = (long)Math.Round(result.Cpu.TotalMilliseconds),
            PeakMemoryBytes = result.PeakMemoryBytes,
            CheckpointSha256 = checkpoint?.Sha256,
            OutputDigest = outcome == AttemptOutcomes.Succeeded ? OutputManifest.Digest(result.ExitCode ?? 0, stdout, outputs) : null,
            Outputs = outputs,
            StdoutSha256 = stdout,
            StderrSha256 = stderr,
            LogTail = tail,
            LogBytes = logBytes,
            Measurements = result.Measurements,
        };
        var pending = new PendingReport(report, files, finished.AddSeconds(lease.Limits.StageOutSeconds ?? 600));
        if (!attempt.IsTrivial)
            RemoveWork(attempt);
        if (files.Count == 0)
        {
            engine.Finish(attempt, pending);
            return;
        }
        var line = engine.MarkUploading(attempt, pending);
        journal.EnsureOnDisk(line);
        await DeliverAsync(attempt, pending, TimeSpan.Zero);

        async Task<string?> AddLogAsync(string kind)
        {
            var file = new FileInfo(Path.Combine(logs, kind));
            if (!file.Exists || file.Length == 0)
                return null;
            var sha = await ArtifactStore.HashAsync(file.FullName, CancellationToken.None);
            files.Add(new PendingFile(kind, kind, sha, file.Length));
            return sha;
        }
    }

    /// <summary>Uploads the files of a finished attempt, then hands its report over. Ends without a report when the agent closes: the journal keeps it.</summary>
    /// <param name="least">Time it gets even when the job's stage-out limit has passed.</param>
    public async Task DeliverAsync(LiveAttempt attempt, PendingReport pending, TimeSpan least)
    {
        var left = pending.StageOutUntil - clock.GetUtcNow();
        using var limit = new CancellationTokenSource(left > least ? left : least, clock);
        var stop = attempt.Stop?.Token ?? CancellationToken.None;
        using var any = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop, closing);
        var report = pending.Report;
        try
        {
            foreach (var file in pending.Files)
            {
                var path = file.Kind is "output" or "checkpoint" ? Path.Combine(folder.Outbox(attempt.Id), file.File) : Path.Combine(folder.Logs(attempt.Id), file.File);
                try
                {
                    await artifacts.UploadAsync(file.Sha256, attempt.Id, path, any.Token);
                }
                catch (UploadRefusedException error) when (report.Outcome != AttemptOutcomes.Succeeded)
                {
                    // The attempt failed anyway; without its whole log the last lines must do.
                    log.Warning(file.Kind == "checkpoint" ? "checkpoint_refused" : "log_refused", error.Message, ("attempt", attempt.Id));
                    report = Without(report, file.Kind, error.Message);
                }
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            return;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            var (outcome, reason) = attempt.StopAs ?? (AttemptOutcomes.Cancelled, "cancelled");
            report = Spoilt(report, outcome, reason, "Stopped while its results were uploaded.");
        }
        catch (OperationCanceledException)
        {
            report = report.Outcome == AttemptOutcomes.Succeeded || report is { Reason: ExecutionReasons.Checkpointed, CheckpointSha256: not null }
                ? Spoilt(report, AttemptOutcomes.DeviceError, "stage_out_timeout", "The results could not be uploaded in the time the job allows.")
                : report with { StdoutSha256 = null, StderrSha256 = null, CheckpointSha256 = null };
        }
        catch (Exception error) when (error is UploadRefusedException or ControlPlaneException or IOException or UnauthorizedAccessException)
        {
            report = Spoilt(report, AttemptOutcomes.DeviceError, "stage_out_failed", $"The results could not be uploaded: {error.Message}");
        }
        // No files any more: after a restart the report goes out at once.
        engine.Finish(attempt, pending with { Report = report, Files = [] });

        static AttemptReport Without(AttemptReport report, string kind, string why)
        {
            if (kind != "checkpoint")
                return kind == "stdout" ? report with { StdoutSha256 = null } : report with { StderrSha256 = null };
            var (outcome, reason, message) = WithoutCheckpoint(report.Outcome, report.Reason, why);
            return report with { Outcome = outcome, Reason = reason, Message = AttemptEngine.Shorten(message), CheckpointSha256 = null };
        }
        static AttemptReport Spoilt(AttemptReport report, string outcome, string reason, string message) => report with
        {
            Outcome = outcome, Reason = reason, Message = AttemptEngine.Shorten(message), OutputDigest = null, Outputs = [], StdoutSha256 = null, StderrSha256 = null,
            CheckpointSha256 = null,
        };
    }

    /// <summary>A payload that asked for it has failed without its checkpoint; one that was told to stop has lost this run only.</summary>
    private static (string Outcome, string? Reason, string? Message) WithoutCheckpoint(string outcome, string? reason, string why) =>
        reason == ExecutionReasons.Checkpointed ? (AttemptOutcomes.Failed, ExecutionReasons.CheckpointInvalid, why) : (outcome, reason, $"Its checkpoint could not be kept: {why}");

    /// <summary>Removes a folder of an attempt; what cannot be removed now is logged and goes at the next start.</summary>
    public void TryDelete(string path) => Tidy(path, () => WorkFolders.Remove(path));

    private void RemoveWork(LiveAttempt attempt) => Tidy(folder.Work(attempt.Id), () => folder.RemoveWork(attempt.Id));

    private void Tidy(string path, Action remove)
    {
        try
        {
            remove();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            log.Warning("leftover", $"A folder could not be removed now; the next start removes it: {error.Message}", ("folder", path));
        }
    }
}
