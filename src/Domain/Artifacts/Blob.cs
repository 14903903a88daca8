using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Artifacts;

/// <summary>One stored content; immutable, because its name is its hash.</summary>
public sealed class Blob
{
    public required byte[] Sha256 { get; init; }
    public required long SizeBytes { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>An account that may read a blob because it uploaded it or its job produced it.</summary>
public sealed class Grant
{
    public required byte[] Sha256 { get; init; }
    public required AccountId AccountId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}
