// One small type per rule that breaks it: the negative controls. If a rule stops seeing its sample, it has stopped seeing anything.
#pragma warning disable IDE0130 // the namespaces are those of the modules the samples pretend to be in
#pragma warning disable RS0030 // banned clocks are the point of a sample

using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Infrastructure.Persistence;
using MediatR;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Wayward
{
    internal sealed class NamesTheMediator(IMediator mediator)
    {
        public object Mediator => mediator;
    }

    internal sealed class LooksInsideAnotherModule
    {
        public int Lease { get; } = new SchedulerOptions().LeaseSeconds;
    }

    internal sealed class UsesContractsOnly(IPlacementPool pool)
    {
        public object Pool => pool;
    }

    internal sealed record BareCommand : ICommand<int>;

    [RequiresPermission(Permissions.Public)]
    internal sealed record Misnamed : IQuery<int>;

    internal sealed class SavingHandler(DbContext db) : ICommandHandler<BareCommand, int>
    {
        // A closure and a state machine: the rule must look into what the compiler makes of it.
        public async Task<int> Handle(BareCommand request, CancellationToken cancellationToken) => await Task.Run(() => db.SaveChangesAsync(cancellationToken), cancellationToken);
    }

    internal sealed class SendingHandler(IDispatcher dispatcher) : ICommandHandler<BareCommand, int>
    {
        public Task<int> Handle(BareCommand request, CancellationToken cancellationToken) => dispatcher.SendAsync(request, cancellationToken);
    }

    internal sealed class TransactingHandler(IUnitOfWork unitOfWork) : ICommandHandler<BareCommand, int>
    {
        public Task<int> Handle(BareCommand request, CancellationToken cancellationToken) =>
            unitOfWork.RunAsync(_ => Task.FromResult(1), _ => Task.CompletedTask, cancellationToken);
    }
}

namespace FogCompute.Architecture.Tests.Samples
{
    internal sealed class ReadsTheClock
    {
        public static async Task<DateTimeOffset> NowAsync()
        {
            await Task.Yield();
            return DateTimeOffset.UtcNow;
        }
    }

    internal sealed class MakesIdsFromTheClock
    {
        public Guid Id { get; } = Guid.CreateVersion7();
    }

    internal sealed class BlocksOnATask
    {
        public static int Get(Task<int> task) => task.Result;
    }

    internal sealed class TouchesInfrastructure(FogDbContext db)
    {
        public object Db => db;
    }

#pragma warning disable CA1852, MA0053 // could be sealed: that is the point
    internal class CouldBeSealed;
#pragma warning restore CA1852, MA0053

    internal sealed class OpenEntity
    {
        public int Balance { get; set; }
        public int Fixed { get; init; }
        public int Own { get; private set; }
    }

    internal sealed class FiresAndForgets
    {
#pragma warning disable VSTHRD100, MA0155, AsyncFixer03 // async void is the point
        public static async void Run() => await Task.Yield();
#pragma warning restore VSTHRD100, MA0155, AsyncFixer03
    }

    public sealed class StrayController : ControllerBase
    {
        [HttpGet("/stray")]
        public int DoNothingKnown() => 1;
    }

    internal enum Colour { Red, Green }

    internal sealed class Painted
    {
        public int Id { get; set; }
        public Colour Colour { get; set; }
        public Colour? Frame { get; set; }
    }

    internal sealed class PaintedContext(DbContextOptions options) : DbContext(options)
    {
        public DbSet<Painted> Painted => Set<Painted>();
    }
}
