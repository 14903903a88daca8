using System.Diagnostics.CodeAnalysis;

namespace FogCompute.Domain.Artifacts;

/// <summary>SHA-256 of an artifact's content, which is also its name. Only 64 lower-case hex digits can become one, so a path built from it is safe.</summary>
public readonly record struct ArtifactDigest
{
    private readonly string? _hex;

    private ArtifactDigest(string hex) => _hex = hex;

    /// <summary>64 lower-case hex digits.</summary>
    public string Hex => _hex ?? throw new InvalidOperationException("An empty digest has no text.");

    public byte[] Bytes => Convert.FromHexString(Hex);

    public static ArtifactDigest FromBytes(ReadOnlySpan<byte> sha256) =>
        sha256.Length == 32 ? new(Convert.ToHexStringLower(sha256)) : throw new ArgumentException("A SHA-256 has 32 bytes.", nameof(sha256));

    public static bool TryParse([NotNullWhen(true)] string? text, out ArtifactDigest digest)
    {
        var valid = text is { Length: 64 } && text.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f'));
        digest = valid ? new ArtifactDigest(text!) : default;
        return valid;
    }

    public override string ToString() => Hex;
}
