using System.Security.Cryptography;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Infrastructure.Tokenomics;

/// <param name="Path">PEM file: first the private key (PKCS #8, P-256), after it the public keys of former ones whose checkpoints still count. Created when it is not there, readable by its owner only.</param>
public sealed record LedgerKeyFile(string Path);

/// <summary>The key that signs checkpoints, read (or made) at its first use.</summary>
internal sealed class LedgerKey(LedgerKeyFile file) : ILedgerSigner, IDisposable
{
    private readonly Lock _gate = new();
    private (ECDsa Key, byte[] PublicKey, HashSet<string> Trusted)? _loaded;

    public byte[] PublicKey => Loaded().PublicKey;

    public byte[] Sign(byte[] data)
    {
        var key = Loaded().Key;
        lock (_gate)
            return key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    public bool Trusts(string keyId) => Loaded().Trusted.Contains(keyId);

    public void Dispose() => _loaded?.Key.Dispose();

    private (ECDsa Key, byte[] PublicKey, HashSet<string> Trusted) Loaded()
    {
        lock (_gate)
        {
            if (_loaded is { } loaded)
                return loaded;
            if (!File.Exists(file.Path))
                Create(file.Path);
            return (_loaded = Read(File.ReadAllText(file.Path))).Value;
        }
    }

    private (ECDsa Key, byte[] PublicKey, HashSet<string> Trusted) Read(string pem)
    {
        ECDsa? own = null;
        var trusted = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var rest = pem.AsSpan();
            while (PemEncoding.TryFind(rest, out var found))
            {
                var key = ECDsa.Create();
                key.ImportFromPem(rest[found.Location]);
                trusted.Add(LedgerCheckpoint.KeyIdOf(key.ExportSubjectPublicKeyInfo()));
                if (own is null && rest[found.Label] is "PRIVATE KEY")
                    own = key;
                else
                    key.Dispose();
                rest = rest[found.Location.End..];
            }
        }
        catch (Exception fault) when (fault is ArgumentException or CryptographicException)
        {
            throw new InvalidOperationException($"The key file of the ledger, {file.Path} (FOG_LEDGER_KEY), cannot be read: {fault.Message}", fault);
        }
        return own is { KeySize: 256 }
            ? (own, own.ExportSubjectPublicKeyInfo(), trusted)
            : throw new InvalidOperationException($"The key file of the ledger, {file.Path} (FOG_LEDGER_KEY), has no P-256 private key (PKCS #8, PEM) in it.");
    }

    /// <summary>Written aside and moved into place, so that of two control planes that start together both use the same.</summary>
    private static void Create(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var aside = $"{path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new StreamWriter(aside, options))
            stream.WriteLine(key.ExportPkcs8PrivateKeyPem());
        try
        {
            File.Move(aside, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(aside);
        }
    }
}
