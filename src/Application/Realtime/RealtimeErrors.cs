using FogCompute.Domain.Common;

namespace FogCompute.Application.Realtime;

public static class RealtimeErrors
{
    public static readonly FogError UpgradeRequired = new("realtime.upgrade_required", ErrorKind.Malformed, "This is a WebSocket: connect with ws:// (Connection: Upgrade), not with a plain request.");
    public static readonly FogError TicketInvalid = new("realtime.ticket_invalid", ErrorKind.Unauthenticated, "This ticket was used, has expired or was never given. Get a new one: POST /api/ws/ticket.");
    public static readonly FogError OriginNotAllowed = new("realtime.origin_not_allowed", ErrorKind.Forbidden, "Pages of this origin may not listen. Add it to CORS_ORIGINS.");
    public static readonly FogError TooManyListeners = new("realtime.too_many_listeners", ErrorKind.Unavailable, "As many listeners as this control plane serves are connected.");
}
