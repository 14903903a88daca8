using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Infrastructure.Tokenomics.Governance;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Tokenomics;

public static class DependencyInjection
{
    /// <summary>The ledger over PostgreSQL; all of it works inside the scope's <c>FogDbContext</c> and its transaction.</summary>
    /// <param name="keyFile">Of the key that signs checkpoints; made there at its first use when it is missing.</param>
    public static IServiceCollection AddTokenomics(this IServiceCollection services, string keyFile, FoundersParameters? founders = null) => services
        .AddSingleton(founders ?? FoundersParameters.None)
        .AddSingleton(new LedgerKeyFile(keyFile))
        .AddSingleton<ILedgerSigner, LedgerKey>()
        .AddSingleton<LedgerMeter>()
        .AddSingleton<TokenomicsStatsCache>()
        .AddScoped<ICheckpoints, PostgresCheckpoints>()
        .AddScoped<ILedgerFigures, PostgresLedgerFigures>()
        .AddScoped<ILedger, PostgresLedger>()
        .AddScoped<IHolds, PostgresHolds>()
        .AddScoped<IJobCharges, PostgresJobCharges>()
        .AddScoped<ILedgerBook, PostgresLedgerBook>()
        .AddScoped<IJournal, PostgresJournal>()
        .AddScoped<ILedgerAudit, PostgresLedgerAudit>()
        .AddScoped<IStakes, PostgresStakes>()
        .AddScoped<ISlashes, PostgresSlashes>()
        .AddScoped<IVotingPower, PostgresVotingPower>()
        .AddSingleton<ParameterCache>()
        .AddScoped<PostgresParameters>()
        .AddScoped<IParameters>(provider => provider.GetRequiredService<PostgresParameters>())
        .AddScoped<IParameterBook>(provider => provider.GetRequiredService<PostgresParameters>())
        .AddScoped<IPoolOrigin>(provider => provider.GetRequiredService<PostgresParameters>())
        .AddScoped<IRehearsals, PostgresRehearsals>()
        .AddScoped<IRecordedDays, PostgresRehearsals>()
        .AddScoped<IProposals, PostgresProposals>()
        .AddScoped<IProposedParameters, PostgresProposals>()
        .AddScoped<IGovernanceFigures, PostgresProposals>()
        .AddScoped<IBallots, PostgresBallots>()
        .AddScoped<IDelegations, PostgresDelegations>()
        .AddScoped<ISavepoint, DatabaseSavepoint>();
}
