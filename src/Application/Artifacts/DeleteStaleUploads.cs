using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Artifacts;

// Recurring (hourly).
// Unfinished uploads that nobody touched for 24 h are gone from the disk.

/// <summary>Delete unfinished uploads that nobody continued for 24 hours.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record DeleteStaleUploadsCommand : ICommand<int>;

internal sealed class DeleteStaleUploadsHandler(IArtifactStore store) : ICommandHandler<DeleteStaleUploadsCommand, int>
{
    public Task<int> Handle(DeleteStaleUploadsCommand command, CancellationToken cancellationToken) => Task.FromResult(store.DeleteStalePartials());
}
