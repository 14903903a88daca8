using FogCompute.Domain.Common;

namespace FogCompute.Domain.IdleCompute;

public static class IdleComputeErrors
{
    public static readonly FogError DeviceNotFound = new("idle_compute.device_not_found", ErrorKind.NotFound, "There is no such device, or it was unregistered.");
    public static readonly FogError DeviceOfAnotherOwner = new("idle_compute.device_of_another_owner", ErrorKind.Conflict, "This device id belongs to another owner. Choose another device_id.");
    public static readonly FogError NotThisDevice = new("idle_compute.not_this_device", ErrorKind.Forbidden, "A device key speaks for its own device only.");
    public static readonly FogError EnrolmentOnly = new("idle_compute.enrolment_only", ErrorKind.Forbidden, "An enrolment token registers machines and can do nothing else. Use a login or an API key of the device's owner.");
    public static readonly FogError NoPublicKey = new("idle_compute.no_public_key", ErrorKind.Conflict, "This device has no public_key, so it cannot sign results. Register it again with one.");
    public static readonly FogError BadSignature = new("idle_compute.bad_signature", ErrorKind.Forbidden, "A receipt's signature does not match the device's public key.");
}
