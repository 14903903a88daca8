namespace FogCompute.Application.IdleCompute.Contracts;

/// <summary>Ids of devices are chosen by their owners, within this.</summary>
public static class DeviceIds
{
    /// <summary>1–255 characters of <c>[A-Za-z0-9._:-]</c>.</summary>
    public static bool IsValid(string? id) =>
        id is { Length: >= 1 and <= 255 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-');
}
