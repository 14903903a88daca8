namespace FogCompute.Api.Http;

/// <summary>
/// One example body per operation that takes one, keyed by operationId; it stands in the OpenAPI document, and a contract test sends each of
/// them to a running server and wants a success. JSON as a client writes it (snake_case).
/// </summary>
public static class Examples
{
    public static readonly IReadOnlyDictionary<string, string> Bodies = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["SubmitJob"] = """{ "name": "test-job", "sla_tier": "gold", "cpu_required": 4.0, "memory_required": 8192 }""",
        ["ChangeJobStatus"] = """{ "status": "pause" }""",
        ["RegisterDevice"] = """{ "device_id": "lab-pc-7", "device_type": "desktop", "cpu_cores": 8, "memory_mb": 16384, "battery_percent": 100, "is_charging": true }""",
        ["HeartbeatDevice"] = """{ "battery": 87, "is_charging": false }""",
        ["DeliverLeases"] = """{ "wait_seconds": 0, "held": [], "condition": { "state": "eligible", "slots": 8 } }""",
        ["CreateAccount"] = """{ "name": "physics-lab" }""",
        ["CreateApiKey"] = """{ "name": "nightly-renders", "permissions": ["jobs.read", "jobs.write"], "expires_in_days": 90 }""",
        ["CreateEnrolmentToken"] = """{ "name": "lab-pcs", "uses": 20, "expires_in_hours": 48 }""",
    };
}
