using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FogCompute.Application.Tokenomics;

namespace FogCompute.Api.Http;

/// <summary>Sends an export as it is read: RFC 4180 with a header, or one JSON array. At most one page of lines and 64 KiB of text are in memory.</summary>
public static class LedgerExportWriter
{
    private const int Chunk = 32 * 1024;

    private static readonly string[] Header =
    [
        "at", "transfer", "kind", "key", "address", "account", "amount", "balance_after", "job_id", "task_index", "device_id", "attempt_id", "device_score", "seconds", "cores", "memory_gib", "tier",
        "multiplier", "verification", "formula_version", "core_hour", "gib_hour", "cap", "cost", "shortfall", "provider_share", "reason", "proposal_id", "slash_id",
    ];

    public static async Task WriteAsync(HttpContext http, LedgerExport export, CancellationToken cancel)
    {
        var response = http.Response;
        response.ContentType = export.Format == "csv" ? "text/csv; charset=utf-8; header=present" : "application/json; charset=utf-8";
        response.Headers.ContentDisposition = $"attachment; filename=\"{export.Name}.{export.Format}\"";
        response.Headers.CacheControl = "no-store";
        var text = new StringBuilder();
        text.Append(export.Format == "csv" ? string.Join(',', Header) + "\r\n" : "[");
        var first = true;
        await foreach (var line in export.Lines.WithCancellation(cancel))
        {
            if (export.Format == "csv")
                AppendCsv(text, line);
            else
                text.Append(first ? "\n" : ",\n").Append(JsonSerializer.Serialize(line, JsonSetup.Responses));
            first = false;
            if (text.Length >= Chunk)
                await SendAsync(response, text, cancel);
        }
        if (export.Format == "json")
            text.Append("\n]\n");
        await SendAsync(response, text, cancel);
    }

    private static async Task SendAsync(HttpResponse response, StringBuilder text, CancellationToken cancel)
    {
        foreach (var chunk in text.GetChunks())
            Encoding.UTF8.GetBytes(chunk.Span, response.BodyWriter);
        text.Clear();
        await response.BodyWriter.FlushAsync(cancel);
    }

    private static void AppendCsv(StringBuilder text, ExportedLine line)
    {
        var cause = line.Cause;
        // A line that stands for several replicas names them all.
        var replicas = cause?.Replicas;
        IReadOnlyList<object?> fields =
        [
            line.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture), line.Transfer, line.Kind, line.Key, line.Address, line.Account, line.Amount, line.BalanceAfter,
            cause?.JobId, cause?.TaskIndex, replicas is null ? cause?.DeviceId : string.Join(';', replicas.Select(r => r.DeviceId)),
            replicas is null ? cause?.AttemptId : string.Join(';', replicas.Select(r => r.AttemptId)), replicas is null ? null : string.Join(';', replicas.Select(r => Plain(r.DeviceScore))),
            cause?.Seconds, cause?.Cores, cause?.MemoryGib, cause?.Tier, cause?.Multiplier, cause?.Verification, cause?.FormulaVersion, cause?.CoreHour, cause?.GibHour, cause?.Cap, cause?.Cost, cause?.Shortfall,
            cause?.ProviderShare, cause?.Reason, cause?.ProposalId, cause?.SlashId,
        ];
        for (var i = 0; i < fields.Count; i++)
            text.Append(i == 0 ? "" : ",").Append(Quoted(Plain(fields[i])));
        text.Append("\r\n");
    }

    private static string Plain(object? value) => value is IFormattable number ? number.ToString(null, CultureInfo.InvariantCulture) : value?.ToString() ?? "";

    private static string Quoted(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
