using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Architecture.Tests.Samples;

internal sealed record SilentCommand : ICommand<int>;

[Audited("babbled", Subject = "Elsewhere", Details = [nameof(Secret)])]
internal sealed record BabblingCommand(string Secret) : ICommand<int>;
