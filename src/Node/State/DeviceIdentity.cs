using System.Security.Cryptography;
using System.Text.Json;

namespace FogCompute.Node.State;

/// <summary>Who this agent is: its id, the key pair that signs receipts, the device key that opens the control plane.</summary>
public sealed class DeviceIdentity : IDisposable
{
    private readonly StateFolder _folder;
    private readonly Lock _signing = new();

    private DeviceIdentity(StateFolder folder, string deviceId, ECDsa key)
    {
        _folder = folder;
        DeviceId = deviceId;
        Key = key;
        DeviceKey = folder.ReadText("device.token")?.Trim();
        RegisteredAs = folder.ReadText("registration.sha256")?.Trim();
    }

    private sealed record StoredDevice(string Id, string Server);

    public string DeviceId { get; }
    public ECDsa Key { get; }

    /// <summary>Bearer token of this device; null before the first enrolment.</summary>
    public string? DeviceKey { get; private set; }

    /// <summary>Hash of the registration the control plane last accepted.</summary>
    public string? RegisteredAs { get; private set; }

    /// <summary>SubjectPublicKeyInfo, base64.</summary>
    public string PublicKey => Convert.ToBase64String(Key.ExportSubjectPublicKeyInfo());

    /// <summary>Loads the identity kept in the folder, or creates it.</summary>
    /// <exception cref="AgentException">The folder belongs to another device or control plane, or its key file is damaged.</exception>
    public static DeviceIdentity Load(StateFolder folder, string deviceId, Uri server)
    {
        if (folder.ReadText("device.json") is { } text)
        {
            var stored = JsonSerializer.Deserialize<StoredDevice>(text);
            if (stored is not null && (stored.Id != deviceId || stored.Server != server.AbsoluteUri))
                throw new AgentException(ExitCodes.Usage,
                    $"The state folder {folder.Root} belongs to device '{stored.Id}' of {stored.Server}, not to '{deviceId}' of {server.AbsoluteUri}. Give this device its own --state.");
        }
        else
            folder.WriteAtomically("device.json", JsonSerializer.Serialize(new StoredDevice(deviceId, server.AbsoluteUri)));

        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (folder.ReadText("device.key") is { } pem)
        {
            try
            {
                key.ImportFromPem(pem);
            }
            catch (Exception error) when (error is CryptographicException or ArgumentException)
            {
                key.Dispose();
                throw new AgentException(ExitCodes.Error,
                    $"The key file {Path.Combine(folder.Root, "device.key")} is damaged ({error.Message}). Restore it, or delete the state folder and enrol the device again.");
            }
        }
        else
            folder.WriteAtomically("device.key", key.ExportPkcs8PrivateKeyPem(), secret: true);
        return new DeviceIdentity(folder, deviceId, key);
    }

    /// <summary>Remembers an accepted registration.</summary>
    public void Enrolled(string? deviceKey, string registration)
    {
        if (deviceKey is not null && deviceKey != DeviceKey)
        {
            _folder.WriteAtomically("device.token", deviceKey, secret: true);
            DeviceKey = deviceKey;
        }
        _folder.WriteAtomically("registration.sha256", registration);
        RegisteredAs = registration;
    }

    /// <summary>The next start registers again.</summary>
    public void ForgetRegistration()
    {
        File.Delete(Path.Combine(_folder.Root, "registration.sha256"));
        RegisteredAs = null;
    }

    /// <summary>Signs a receipt; safe for concurrent calls (the key object itself is not).</summary>
    public string Sign(Protocol.AttemptReport report)
    {
        lock (_signing)
            return Protocol.Receipt.Sign(Key, DeviceId, report);
    }

    public void Dispose() => Key.Dispose();
}
