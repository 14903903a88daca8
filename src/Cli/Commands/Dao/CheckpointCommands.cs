using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog ledger checkpoints</c> and <c>fog ledger verify</c>: what the pool signs about its ledger each day, and whether it did.</summary>
internal static class CheckpointCommands
{
    private static readonly string[] Proof = ["signed", "signature", "publicKey"];

    public static FogCommand List(GlobalOptions globals)
    {
        var command = new FogCommand("checkpoints", "List the daily signed checkpoints of the ledger.", "fog ledger checkpoints");
        return command.Runs(globals, async invocation =>
        {
            var checkpoints = (await invocation.Server.PagesAsync(Tokenomics.Root + "checkpoints", invocation.Cancel, "before")).SelectMany(p => p.Items("checkpoints")).ToList();
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(new JsonObject { ["checkpoints"] = new JsonArray([.. checkpoints.Select(c => c.DeepClone())]) });
            if (checkpoints.Count == 0)
            {
                terminal.Line("No checkpoints yet; one is made each day.");
                return ExitCodes.Ok;
            }
            // What a checkpoint says is the server's; the proof is for fog ledger verify.
            var columns = checkpoints.SelectMany(c => c.Members()).Where(m => m.Value is JsonValue && !Proof.Contains(m.Key)).Select(m => m.Key).Distinct(StringComparer.Ordinal).ToArray();
            var table = Terminal.NewTable([.. columns.Select(Tokenomics.Words)]);
            foreach (var checkpoint in checkpoints)
                table.AddRow(columns.Select(c => JobCommands.Cell(checkpoint.Text(c))));
            if (terminal.Fits(table))
            {
                terminal.Table(table);
            }
            else
            {
                foreach (var checkpoint in checkpoints)
                    terminal.Line(string.Join("\n  ", columns.Select(c => $"{Tokenomics.Words(c)} {checkpoint.Text(c) ?? "–"}")));
            }
            terminal.Note("next: fog ledger verify DAY");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Verify(GlobalOptions globals)
    {
        var what = new Argument<string>("checkpoint") { Description = "Day (2026-01-31), or a file with a checkpoint that was kept" };
        var key = new Option<string?>("--key") { Description = "Public key you already have, PEM or base64, or a file with it (default: the one that comes with the checkpoint)", HelpName = "KEY" };
        var command = new FogCommand("verify", "Check the signature of a checkpoint on this machine.", "fog ledger verify 2026-01-31", "fog ledger verify kept.json --key pool.key") { what, key };
        return command.Runs(globals, async invocation =>
        {
            var given = invocation.Get(what);
            var isDay = DateOnly.TryParseExact(given, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);
            var checkpoint = isDay
                ? await invocation.Server.GetAsync($"{Tokenomics.Root}checkpoints/{given}", invocation.Cancel)
                : await ReadFileAsync(invocation, given);
            var pinned = invocation.Get(key) is { } k ? await KeyTextAsync(invocation, k) : null;
            var signed = Required(checkpoint, "signed");
            var fingerprint = Check(signed, Required(checkpoint, "signature"), pinned ?? Required(checkpoint, "publicKey"));
            if (isDay && !signed.Contains(given, StringComparison.Ordinal))
                throw new CliException(ExitCodes.Error, $"What was signed is not of {given}.", "Do not rely on this checkpoint; get it from a second source and compare.");
            var terminal = invocation.Terminal;
            if (terminal.Json)
            {
                var verified = checkpoint.DeepClone();
                verified["verified"] = true;
                verified["keyFingerprint"] = fingerprint;
                terminal.Document(verified);
                return ExitCodes.Ok;
            }
            terminal.Markup("[green]The signature is good.[/] Signed was:");
            foreach (var line in signed.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'))
                terminal.Line("  " + line);
            terminal.Line($"by the key with SHA-256 {fingerprint}");
            if (pinned is null)
                terminal.Note("The key came with the checkpoint. To be sure of it, compare it with one you got another way: --key KEY");
            return ExitCodes.Ok;
        });
    }

    /// <summary>Checks ECDSA P-256 over SHA-256 of the text's UTF-8; returns the key's fingerprint. Throws when the signature does not fit.</summary>
    /// <param name="text">What was signed, to the letter.</param>
    /// <param name="signature">Base64 of DER.</param>
    /// <param name="key">SubjectPublicKeyInfo, PEM or base64.</param>
    private static string Check(string text, string signature, string key)
    {
        using var ecdsa = ECDsa.Create();
        try
        {
            if (key.Contains("-----BEGIN", StringComparison.Ordinal))
                ecdsa.ImportFromPem(key);
            else
                ecdsa.ImportSubjectPublicKeyInfo(Base64(key, "public key"), out _);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new CliException(ExitCodes.Error, "The public key is none: it must be a P-256 SubjectPublicKeyInfo, PEM or base64.", "Get it again: fog ledger checkpoints --json");
        }
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(ecdsa.ExportSubjectPublicKeyInfo()));
        return ecdsa.VerifyData(Encoding.UTF8.GetBytes(text), Base64(signature, "signature"), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
            ? fingerprint
            : throw new CliException(ExitCodes.Error, "The signature does NOT fit: the text was changed, or another key signed it.",
                "Do not rely on this checkpoint; get it from a second source and compare.", [$"key SHA-256 {fingerprint}"]);
    }

    private static byte[] Base64(string text, string what)
    {
        try
        {
            return Convert.FromBase64String(text.Trim());
        }
        catch (FormatException)
        {
            throw new CliException(ExitCodes.Error, $"The {what} is not base64.", "Get the checkpoint again: fog ledger verify DAY");
        }
    }

    private static string Required(JsonNode checkpoint, string member) => checkpoint.Text(member)
        ?? throw new CliException(ExitCodes.Error, $"The checkpoint has no '{member}', so nothing can be checked.", "Keep whole answers: fog ledger verify DAY --json > FILE");

    private static async Task<JsonNode> ReadFileAsync(Invocation invocation, string file)
    {
        var path = Path.GetFullPath(file, invocation.Host.CurrentDirectory);
        if (!File.Exists(path))
            throw new CliException(ExitCodes.Usage, $"'{file}' is neither a day like 2026-01-31 nor a file.", "See: fog ledger verify --help");
        try
        {
            if (JsonNode.Parse(await File.ReadAllTextAsync(path, invocation.Cancel)) is { } node)
                return node;
        }
        catch (JsonException)
        {
            // Said below: the same as an empty file.
        }
        throw new CliException(ExitCodes.Usage, $"{path} holds no checkpoint.", "Keep whole answers: fog ledger verify DAY --json > FILE");
    }

    private static async Task<string> KeyTextAsync(Invocation invocation, string key)
    {
        var path = Path.GetFullPath(key, invocation.Host.CurrentDirectory);
        return File.Exists(path) ? await File.ReadAllTextAsync(path, invocation.Cancel) : key;
    }
}
