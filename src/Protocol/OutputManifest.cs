using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Protocol;

/// <summary>
/// The digest that replicas must agree on. It covers what the requester gets (exit code, stdout, output files) and nothing that differs
/// between machines (stderr, timings). Each part is length-prefixed, files are ordered by path, so no two different results share a digest input.
/// </summary>
public static class OutputManifest
{
    /// <summary>SHA-256 as 64 lower-case hex digits.</summary>
    public static string Digest(int exitCode, string? stdoutSha256, IEnumerable<OutputFile> outputs)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, "fog-output-1");
        Append(hash, exitCode.ToString());
        Append(hash, stdoutSha256 ?? "");
        foreach (var file in outputs.OrderBy(f => f.Path, StringComparer.Ordinal))
        {
            Append(hash, file.Path);
            Append(hash, file.Sha256);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    internal static void Append(IncrementalHash hash, string part)
    {
        var bytes = Encoding.UTF8.GetBytes(part);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}

/// <summary>What a device signs for each attempt: who ran what under which epoch with which result and usage.</summary>
public static class Receipt
{
    /// <summary>Signature input: SHA-256 over the length-prefixed fields, 32 bytes.</summary>
    public static byte[] Bytes(string deviceId, AttemptReport report)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in (ReadOnlySpan<string>)
        [
            "fog-receipt-1", deviceId, report.AttemptId.ToString("D"), report.Epoch.ToString(), report.Outcome,
            report.OutputDigest ?? "", report.WallMs.ToString(), report.CpuMs.ToString(),
        ])
            OutputManifest.Append(hash, part);
        if (report.CheckpointSha256 is { } checkpoint)
            OutputManifest.Append(hash, checkpoint);
        return hash.GetHashAndReset();
    }

    /// <summary>Signs with the device's P-256 key; base64 of the 64-byte P1363 form.</summary>
    public static string Sign(ECDsa key, string deviceId, AttemptReport report) => Convert.ToBase64String(key.SignHash(Bytes(deviceId, report)));

    /// <summary>Whether the signature is the device's over exactly this report. False for a malformed signature.</summary>
    public static bool Verify(ECDsa key, string deviceId, AttemptReport report)
    {
        Span<byte> signature = stackalloc byte[64];
        return report.Signature is { Length: <= 88 } text
            && Convert.TryFromBase64String(text, signature, out var written) && written == 64
            && key.VerifyHash(Bytes(deviceId, report), signature);
    }
}
