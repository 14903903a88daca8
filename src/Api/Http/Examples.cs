namespace FogCompute.Api.Http;

/// <summary>
/// One example body per operation that takes one, keyed by operationId; it stands in the OpenAPI document, and a contract test sends each of
/// them to a running server and wants a success. JSON as a client writes it (snake_case).
/// </summary>
public static class Examples
{
    public static readonly IReadOnlyDictionary<string, string> Bodies = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["CreateAccount"] = """{ "name": "physics-lab" }""",
        ["CreateApiKey"] = """{ "name": "nightly-renders", "permissions": ["jobs.read", "jobs.write"], "expires_in_days": 90 }""",
        ["CreateEnrolmentToken"] = """{ "name": "lab-pcs", "uses": 20, "expires_in_hours": 48 }""",
    };
}
