using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics.Governance;

/// <summary>Accounts with stakes that propose and vote on a real database, under a clock that the test turns.</summary>
internal sealed class GovernanceWorld : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly ServiceProvider _services;
    private int _transfers;

    private GovernanceWorld(TestDatabase database, ManualTimeProvider time, Action<IServiceCollection>? adjust)
    {
        _database = database;
        Time = time;
        _services = database.BuildServices(s =>
        {
            s.AddTokenomics(Path.Combine(Path.GetTempPath(), $"fog-governance-{Guid.NewGuid():N}.pem"));
            adjust?.Invoke(s);
        }, time);
    }

    public ManualTimeProvider Time { get; }

    public DateTimeOffset Now => Time.GetUtcNow();

    /// <summary>A quorum of 1 % of the supply (10 000 credits), the other rules by default.</summary>
    public static async Task<GovernanceWorld> CreateAsync(Action<IServiceCollection>? adjust = null)
    {
        var world = new GovernanceWorld(await TestDatabase.CreateAsync(), new ManualTimeProvider(), adjust);
        await world.SetAsync(ParameterCatalogue.Quorum, 100);
        return world;
    }

    /// <summary>A new account with so many credits staked.</summary>
    public async Task<AccountId> OpenAsync(int staked)
    {
        var account = AccountId.New(Now);
        await InTransactionAsync(async services =>
        {
            var ledger = services.GetRequiredService<ILedger>();
            await ledger.OpenOwnerAsync(account, AccountAddress.Of(account), Now, CancellationToken.None);
            await services.GetRequiredService<FogDbContext>().ExecuteSqlAsync(
                "INSERT INTO identity.accounts (id, name, address, created_at) VALUES ($1, $2, $3, $4)", CancellationToken.None, account.Value, account.ToString(), AccountAddress.Of(account), Now);
            // From the rewards pool, so that the treasury stays what genesis made it.
            var grant = Transfer.Create(TransferKind.FaucetGrant, $"test:{account}",
                [new(LedgerAccount.System(AccountKind.RewardsPool), -Credits.ToMicro(30_000)), new(LedgerAccount.Available(account), Credits.ToMicro(30_000))], Now);
            await ledger.PostAsync([grant], [], CancellationToken.None);
            return 0;
        });
        if (staked > 0)
            await StakeAsync(account, Credits.ToMicro(staked));
        return account;
    }

    public Task StakeAsync(AccountId account, long micro) => InTransactionAsync(services => MoveAsync(services, TransferKind.Stake, LedgerAccount.Available(account), LedgerAccount.Staked(account), micro));

    /// <summary>As staking does it: the staked account is locked, then everybody who has a reason is asked, then it moves.</summary>
    /// <param name="meanwhile">Happens before the commit.</param>
    public Task UnstakeAsync(AccountId account, long micro, Func<Task>? meanwhile = null) => InTransactionAsync(async services =>
    {
        var staked = LedgerAccount.Staked(account);
        var balance = (await services.GetRequiredService<ILedger>().LockAsync([staked, LedgerAccount.Unbonding(account)], CancellationToken.None))[staked];
        foreach (var reason in services.GetServices<IStakeLock>())
        {
            if (await reason.OfAsync(account, CancellationToken.None) is { } locked && balance - micro < locked.AmountMicro)
                throw new FogException(new FogError("test.stake_locked", ErrorKind.Conflict, locked.Why));
        }
        var moved = await MoveAsync(services, TransferKind.Unstake, staked, LedgerAccount.Unbonding(account), micro);
        if (meanwhile is not null)
            await meanwhile();
        return moved;
    });

    public async Task<StakeLocked?> LockOfAsync(AccountId account) =>
        await InTransactionAsync(services => services.GetServices<IStakeLock>().OfType<VotedStakeLock>().Single().OfAsync(account, CancellationToken.None));

    private Task<int> MoveAsync(IServiceProvider services, TransferKind kind, LedgerAccount from, LedgerAccount to, long micro) =>
        services.GetRequiredService<ILedger>().PostAsync([Transfer.Create(kind, $"test:{Interlocked.Increment(ref _transfers)}", [new(from, -micro), new(to, micro)], Now)], [], CancellationToken.None);

    public async Task SetAsync(ParameterDefinition parameter, long value)
    {
        await InTransactionAsync(services => services.GetRequiredService<IParameterBook>().SetAsync(parameter, value, null, Now, CancellationToken.None));
        _services.GetRequiredService<ISignals>().Publish(Topics.Parameters); // As the pipeline does after a commit.
    }

    public async Task<string> ProposeAsync(AccountId proposer, ProposalActionInput? action = null, string title = "Something to be decided") =>
        (await SendAsync(new CreateProposalCommand { Title = title, Description = "What is proposed here is proposed for reasons that fill fifty characters.", Action = action }, proposer)).ProposalId;

    /// <summary>A proposal whose snapshot has just been taken.</summary>
    public async Task<string> OpenVoteAsync(AccountId proposer, ProposalActionInput? action = null, string title = "Something to be decided")
    {
        var id = await ProposeAsync(proposer, action, title);
        Time.Advance(TimeSpan.FromDays(1));
        await AdvanceAsync();
        return id;
    }

    /// <summary>Voted for by everybody named, closed and queued; its timelock has just ended.</summary>
    public async Task<string> CarryAsync(AccountId proposer, ProposalActionInput? action, params AccountId[] voters)
    {
        var id = await OpenVoteAsync(proposer, action);
        foreach (var voter in voters)
            await VoteAsync(id, voter, VoteChoice.For);
        Time.Advance(TimeSpan.FromDays(7));
        await AdvanceAsync();
        Assert.That(await StateAsync(id), Is.EqualTo("queued"));
        Time.Advance(TimeSpan.FromDays(2));
        return id;
    }

    public async Task<decimal> VoteAsync(string id, AccountId voter, VoteChoice choice, string? reason = null) => (await SendAsync(new VoteCommand
    {
        ProposalId = id, Reason = reason, Vote = System.Text.Json.JsonSerializer.SerializeToElement(choice.ToString().ToLowerInvariant()),
    }, voter)).Power;

    public Task DelegateAsync(AccountId from, AccountId? to) => SendAsync(new DelegateCommand { To = to is { } account ? AccountAddress.Of(account) : null }, from);

    /// <summary>As the recurring runner does: again while there is more to do.</summary>
    public async Task AdvanceAsync()
    {
        while ((await SendAsync(new AdvanceProposalsCommand())).MoreToDo)
        {
        }
    }

    public async Task<string> StateAsync(string id) => (await ReadAsync(id)).Status;

    public Task<ProposalDetail> ReadAsync(string id) => AsAsync(Caller.System, d => d.SendAsync(new GetProposalQuery(id)));

    public Task<T> SendAsync<T>(ICommand<T> command, AccountId caller = default, params string[] permissions) => AsAsync(
        caller == default ? Caller.System : new Caller(CallerKind.ApiKey, caller, null, (permissions.Length == 0 ? Permissions.Member : permissions).ToHashSet()), d => d.SendAsync(command));

    public Task<T> SendAsync<T>(IQuery<T> query, AccountId caller) => AsAsync(new Caller(CallerKind.ApiKey, caller, null, Permissions.Member.ToHashSet()), d => d.SendAsync(query));

    private async Task<T> AsAsync<T>(Caller caller, Func<IDispatcher, Task<T>> send)
    {
        await using var scope = _services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = caller;
        return await send(scope.ServiceProvider.GetRequiredService<IDispatcher>());
    }

    public async Task<T> InTransactionAsync<T>(Func<IServiceProvider, Task<T>> work)
    {
        await using var scope = _services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(_ => work(scope.ServiceProvider), _ => Task.CompletedTask, CancellationToken.None);
    }

    public async Task<long> ParameterAsync(ParameterDefinition parameter) =>
        (await InTransactionAsync(services => services.GetRequiredService<Application.Tokenomics.Contracts.IParameters>().CurrentAsync(CancellationToken.None)))[parameter];

    /// <summary>As a superuser who has switched the triggers off.</summary>
    public Task TamperAsync(string sql) => SqlAsync("SET session_replication_role = replica; " + sql + "; SET session_replication_role = DEFAULT");

    public async Task SqlAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public static async Task RefusedAsync(string code, Func<Task> attempt)
    {
        try
        {
            await attempt();
        }
        catch (FogException refusal)
        {
            Assert.That(refusal.Error.Code, Is.EqualTo(code), refusal.Message);
            return;
        }
        Assert.Fail($"was not refused with {code}");
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
    }
}
