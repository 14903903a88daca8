using FogCompute.Domain.Common;

namespace FogCompute.Application.Betanet;

public static class BetanetErrors
{
    public static readonly FogError NotConfigured = new("betanet.not_configured", ErrorKind.Unavailable, "This installation has no betanet, so no node can be deployed.");
}
