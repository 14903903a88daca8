using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.UnitTests.Pipeline;

// A use case of our own, so that the pipeline is tested and nothing else.

[RequiresPermission(Permissions.JobsWrite)]
public sealed record DoThingCommand : ICommand<int>, IIdempotentCommand
{
    public string ThingName { get; init; } = "thing";
    public decimal MaxPrice { get; init; } = 1;
    public IReadOnlyList<int> Parts { get; init; } = [];
    public bool Fails { get; init; }
    public bool EventFails { get; init; }

    [JsonIgnore]
    public string? IdempotencyKey { get; init; }
}

[RequiresPermission(Permissions.Public)]
public sealed record SeeThingQuery : IQuery<int>;

/// <summary>Breaks the rule that every use case declares a permission: the start-up check must find it.</summary>
public sealed record BareCommand : ICommand<int>;

internal sealed record ThingDone(bool Fails) : IDomainEvent;

internal sealed record ThingFollowed : IDomainEvent;

internal sealed class DoThingValidator : AbstractValidator<DoThingCommand>
{
    public DoThingValidator()
    {
        RuleFor(c => c.MaxPrice).GreaterThan(0);
        RuleForEach(c => c.Parts).GreaterThan(0);
    }
}

internal sealed class DoThingNameValidator : AbstractValidator<DoThingCommand>
{
    public DoThingNameValidator() => RuleFor(c => c.ThingName).NotEmpty();
}

internal sealed class DoThingHandler(List<string> order, ITransactionScope transaction) : ICommandHandler<DoThingCommand, int>
{
    public Task<int> Handle(DoThingCommand request, CancellationToken cancellationToken)
    {
        order.Add("handle");
        transaction.Raise(new ThingDone(request.EventFails));
        transaction.SignalAfterCommit(Topics.Place);
        transaction.SignalAfterCommit(Topics.Place);
        return request.Fails ? throw new InvalidOperationException("The handler fails.") : Task.FromResult(42);
    }
}

internal sealed class SeeThingHandler(List<string> order) : IQueryHandler<SeeThingQuery, int>
{
    public Task<int> Handle(SeeThingQuery request, CancellationToken cancellationToken)
    {
        order.Add("see");
        return Task.FromResult(7);
    }
}

internal sealed class OnThingDone(List<string> order, ITransactionScope transaction) : IEventHandler<ThingDone>
{
    public Task Handle(ThingDone notification, CancellationToken cancellationToken)
    {
        order.Add("event done");
        transaction.Raise(new ThingFollowed());
        return notification.Fails ? throw new InvalidOperationException("The event handler fails.") : Task.CompletedTask;
    }
}

internal sealed class OnThingFollowed(List<string> order) : IEventHandler<ThingFollowed>
{
    public Task Handle(ThingFollowed notification, CancellationToken cancellationToken)
    {
        order.Add("event followed");
        return Task.CompletedTask;
    }
}
