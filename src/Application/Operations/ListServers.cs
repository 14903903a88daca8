using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// GET /api/ops/servers
// Control-plane processes of this database, and the devices in a few numbers.

/// <summary>Control-plane processes and what each leads; devices in numbers. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListServersQuery : IQuery<ServerList>;

/// <param name="Servers">Oldest first.</param>
public sealed record ServerList(IReadOnlyList<ServerItem> Servers, DeviceSummary Devices);

/// <param name="Alive">Heard from within the last ten seconds.</param>
/// <param name="Leads">Pumps that it runs.</param>
/// <param name="Running">Recurring jobs that ran when it was last heard from.</param>
public sealed record ServerItem(
    Guid Id, string Host, int Pid, string Version, DateTimeOffset Started, DateTimeOffset LastSeen, bool Alive, IReadOnlyList<string> Leads, IReadOnlyList<string> Running);

/// <param name="Enrolled">Not unregistered.</param>
/// <param name="Heard">Of those, heard from in the last 90 s.</param>
/// <param name="Working">Of those, with a lease.</param>
/// <param name="Cores">Of the devices heard from.</param>
public sealed record DeviceSummary(int Enrolled, int Heard, int Working, double Cores);

internal sealed class ListServersHandler(IOperationsFigures figures, TimeProvider time) : IQueryHandler<ListServersQuery, ServerList>
{
    public Task<ServerList> Handle(ListServersQuery query, CancellationToken cancellationToken) => figures.ServersAsync(time.GetUtcNow(), cancellationToken);
}
