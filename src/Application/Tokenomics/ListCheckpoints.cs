using System.Text;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/checkpoints?before=&limit=100
// Promises: each day's signed checkpoint with all that is needed to verify it elsewhere. Public: the more people keep them, the less can be rewritten.

[RequiresPermission(Permissions.Public)]
public sealed record ListCheckpointsQuery : IQuery<CheckpointsDto>
{
    /// <summary>Only days before this one; <c>next</c> of the page before.</summary>
    public DateOnly? Before { get; init; }

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;
}

/// <param name="Checkpoints">Latest first.</param>
/// <param name="Next">For <c>before</c>; null on the last page.</param>
public sealed record CheckpointsDto(IReadOnlyList<CheckpointDto> Checkpoints, DateOnly? Next);

/// <param name="Day">UTC.</param>
/// <param name="Block">Last sealed block.</param>
/// <param name="HeadHash">Its hash, hex.</param>
/// <param name="Supply">Credits: all accounts but issuance.</param>
/// <param name="BalancesHash">SHA-256 of all balances, hex (docs/economics.md).</param>
/// <param name="KeyId">SHA-256 of the public key, hex. Note it the first time: later ones should have the same.</param>
/// <param name="PublicKey">P-256 SubjectPublicKeyInfo, PEM.</param>
/// <param name="Signed">The text that is signed, to the last line feed.</param>
/// <param name="Signature">ECDSA over SHA-256, DER, base64.</param>
public sealed record CheckpointDto(
    DateOnly Day, long Block, string HeadHash, decimal Supply, string BalancesHash, DateTimeOffset At, string KeyId, string PublicKey, string Signed, string Signature)
{
    internal static CheckpointDto Of(SignedCheckpoint signed) => new(
        signed.Checkpoint.Day, signed.Checkpoint.Block, Convert.ToHexStringLower(signed.Checkpoint.HeadHash), Credits.FromMicro(signed.Checkpoint.SupplyMicro),
        Convert.ToHexStringLower(signed.Checkpoint.BalancesHash), signed.Checkpoint.At, signed.Checkpoint.KeyId,
        new string(System.Security.Cryptography.PemEncoding.Write("PUBLIC KEY", signed.PublicKey)), Encoding.UTF8.GetString(signed.Signed), Convert.ToBase64String(signed.Signature));
}

internal sealed class ListCheckpointsValidator : AbstractValidator<ListCheckpointsQuery>
{
    public ListCheckpointsValidator() => RuleFor(q => q.Limit).InclusiveBetween(1, 1000).WithMessage("limit must be between 1 and 1000.");
}

internal sealed class ListCheckpointsHandler(ICheckpoints checkpoints) : IQueryHandler<ListCheckpointsQuery, CheckpointsDto>
{
    public async Task<CheckpointsDto> Handle(ListCheckpointsQuery request, CancellationToken cancellationToken)
    {
        var found = await checkpoints.ListAsync(request.Before ?? DateOnly.MaxValue, request.Limit + 1, cancellationToken);
        var page = found.Take(request.Limit).Select(CheckpointDto.Of).ToArray();
        return new CheckpointsDto(page, found.Count > request.Limit ? page[^1].Day : null);
    }
}
