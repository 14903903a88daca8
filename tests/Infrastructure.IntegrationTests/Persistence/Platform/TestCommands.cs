using System.Collections.Concurrent;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Infrastructure.Persistence;
using MediatR;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;

/// <summary>A command whose handler is a lambda of the test, sent through the real pipeline.</summary>
[RequiresPermission(Permissions.Operate)]
internal sealed record TestCommand(string Name, string? IdempotencyKey = null, int Amount = 0) : ICommand<TestAnswer>, IIdempotentCommand;

internal sealed record TestAnswer(Guid Id, int Amount, bool MoreToDo = false) : IRecurringOutcome;

internal sealed class TestCommandHandler(FogDbContext db, ITransactionScope scope, CallerContext caller, TestWork work) : ICommandHandler<TestCommand, TestAnswer>
{
    public async Task<TestAnswer> Handle(TestCommand request, CancellationToken cancellationToken)
    {
        work.Runs.AddOrUpdate(request.Name, 1, (_, runs) => runs + 1);
        work.Callers.Enqueue(caller.Caller.Kind);
        return await work.Body(new TestRun(request, db, scope), cancellationToken);
    }
}

internal sealed record TestRun(TestCommand Command, FogDbContext Db, ITransactionScope Scope);

/// <summary>What the handler does, and how often it did.</summary>
internal sealed class TestWork
{
    public Func<TestRun, CancellationToken, Task<TestAnswer>> Body { get; set; } = (run, _) => Task.FromResult(new TestAnswer(Guid.NewGuid(), run.Command.Amount));
    public ConcurrentDictionary<string, int> Runs { get; } = new(StringComparer.Ordinal);
    public ConcurrentQueue<CallerKind> Callers { get; } = new();

    public int RunsOf(string name) => Runs.GetValueOrDefault(name);

    public Action<IServiceCollection> Register => services =>
    {
        services.AddSingleton(this);
        services.AddScoped<IRequestHandler<TestCommand, TestAnswer>, TestCommandHandler>();
    };
}

internal static class Sending
{
    public static async Task<TestAnswer> SendAsync(this IServiceProvider services, TestCommand command, Caller? caller = null)
    {
        await using var scope = services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = caller ?? Caller.System;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(command);
    }
}

internal static class Eventually
{
    /// <summary>Waits until the condition holds; fails the test when it does not within the time.</summary>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, double seconds = 60)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds > seconds)
                Assert.Fail($"Not within {seconds} s: {what}");
            await Task.Delay(10);
        }
    }

    public static Task TrueAsync(Func<bool> condition, string what, double seconds = 60) => TrueAsync(() => Task.FromResult(condition()), what, seconds);
}
