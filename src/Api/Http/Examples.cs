namespace FogCompute.Api.Http;

/// <summary>
/// One example body per operation that takes one, keyed by operationId; it stands in the OpenAPI document, and a contract test sends each of
/// them to a running server and wants a success. JSON as a client writes it (snake_case); the bytes of an artifact as text.
/// </summary>
public static class Examples
{
    public static readonly IReadOnlyDictionary<string, string> Bodies = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["SubmitJob"] = """{ "name": "test-job", "sla_tier": "gold", "cpu_required": 4.0, "memory_required": 8192 }""",
        ["QuoteJob"] = """{ "name": "test-array", "sla_tier": "silver", "cpu_required": 1.0, "memory_required": 512, "duration_estimate": 2, "array": { "count": 100 } }""",
        ["ChangeJobStatus"] = """{ "status": "pause" }""",
        ["RegisterDevice"] = """{ "device_id": "lab-pc-7", "device_type": "desktop", "cpu_cores": 8, "memory_mb": 16384, "battery_percent": 100, "is_charging": true }""",
        ["HeartbeatDevice"] = """{ "battery": 87, "is_charging": false }""",
        ["DeliverLeases"] = """{ "wait_seconds": 0, "held": [], "condition": { "state": "eligible", "slots": 8 } }""",
        ["RecordProgress"] = """{ "items": [ { "attempt_id": "0190f7a0-0000-7000-8000-000000000042", "epoch": 1, "state": "running", "started_at": "2026-01-31T12:00:00Z", "log_tail": "tile 7 of 64", "log_bytes": 12 } ] }""",
        ["RecordReports"] = """{ "items": [ { "attempt_id": "0190f7a0-0000-7000-8000-000000000042", "epoch": 1, "outcome": "evicted", "reason": "on_battery", "wall_ms": 1200, "cpu_ms": 900, "signature": "M9d/UpfhZ3cGG4W54h7hlF5/eshrZTnyEdzPCpNFANxp6qvYJM1vtLWd3utt6vopIYXYG0WetPriDJ+u4rFf/g==" } ] }""",
        ["Stake"] = """{ "amount": 25.0 }""",
        ["Unstake"] = """{ "amount": 10.0 }""",
        ["ClaimUnbonded"] = """{ "address": null }""",
        ["AppealSlash"] = """{ "reason": "The payload prints the name of the machine, so its results cannot agree." }""",
        ["DecideSlash"] = """{ "uphold": false, "reason": "The job was declared deterministic and is not: nobody lied." }""",
        ["CreateProposal"] = """{ "title": "A lower price for a core hour", "description": "Half of the machines idle at night: a core hour at 0.08 credits brings work to them.", "action": { "type": "set_parameter", "name": "pricing.core_hour_micro", "value": 80000 } }""",
        ["Vote"] = """{ "proposal_id": "f09c0000000000000000000000000000000000000000000000000000000000e5", "vote": "for", "reason": "Idle machines earn nothing." }""",
        ["CancelProposal"] = """{ "reason": "The value was meant to be 90000; a corrected proposal follows." }""",
        ["Delegate"] = """{ "to": null }""",
        ["DeployBetanetNode"] = """{ "node_type": "mixnode", "region": "us-east" }""",
        ["StartBenchmark"] = """{ "type": "latency", "duration": 60 }""",
        ["StopBenchmark"] = """{ "benchmark_id": null }""",
        ["UploadArtifact"] = "hello, fog",
        ["Register"] = """{ "username": "grace", "email": "grace@example.org", "password": "two turtles under one lamp" }""",
        ["Login"] = """{ "username": "ada", "password": "correct battery on the horse" }""",
        ["Refresh"] = """{ "refresh_token": "fogr_0pB5vYk3mS8qW1xZ7cN2dF6gH9jL4tR0uE3aKiToPyQ" }""",
        ["ChangePassword"] = """{ "current_password": "correct battery on the horse", "new_password": "nine snails cross the bridge" }""",
        ["RequestPasswordReset"] = """{ "email": "ada@example.org" }""",
        ["ResetPassword"] = """{ "token": "fogp_0pB5vYk3mS8qW1xZ7cN2dF6gH9jL4tR0uE3aKiToPyQ", "new_password": "nine snails cross the bridge" }""",
        ["EnrolMfa"] = """{ "password": "correct battery on the horse" }""",
        ["ConfirmMfa"] = """{ "code": "287082" }""",
        ["DisableMfa"] = """{ "password": "correct battery on the horse" }""",
        ["SetUp"] = """{ "token": "fogs_0pB5vYk3mS8qW1xZ7cN2dF6gH9jL4tR0uE3aKiToPyQ", "username": "ada", "email": "ada@example.org", "password": "correct battery on the horse" }""",
        ["SetUserRoles"] = """{ "roles": ["requester", "provider", "operator"] }""",
        ["SetUserActive"] = """{ "active": true }""",
        ["CreateAccount"] = """{ "name": "physics-lab" }""",
        ["CreateApiKey"] = """{ "name": "nightly-renders", "permissions": ["jobs.read", "jobs.write"], "expires_in_days": 90 }""",
        ["CreateEnrolmentToken"] = """{ "name": "lab-pcs", "uses": 20, "expires_in_hours": 48 }""",
    };
}
