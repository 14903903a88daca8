using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Infrastructure.Tokenomics.Governance;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Tokenomics;

public static class DependencyInjection
{
    /// <summary>The ledger over PostgreSQL; all of it works inside the scope's <c>FogDbContext</c> and its transaction.</summary>
    public static IServiceCollection AddTokenomics(this IServiceCollection services) => services
        .AddScoped<ILedger, PostgresLedger>()
        .AddScoped<IHolds, PostgresHolds>()
        .AddScoped<IJobCharges, PostgresJobCharges>()
        .AddScoped<ILedgerBook, PostgresLedgerBook>()
        .AddScoped<IJournal, PostgresJournal>()
        .AddScoped<ILedgerAudit, PostgresLedgerAudit>()
        .AddScoped<IVotingPower, PostgresVotingPower>()
        .AddScoped<IParameters, PostgresParameters>()
        .AddScoped<IParameterBook, PostgresParameters>()
        .AddScoped<IProposals, PostgresProposals>()
        .AddScoped<IProposedParameters, PostgresProposals>()
        .AddScoped<IBallots, PostgresBallots>()
        .AddScoped<IDelegations, PostgresDelegations>()
        .AddScoped<ISavepoint, DatabaseSavepoint>();
}
