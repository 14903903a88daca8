using System.Text.Json;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>
/// The one database context: one PostgreSQL schema per module, tables and columns in snake_case, enums as text. Modules see it only through
/// their narrow port. The schema itself is written in migrations/*.sql; a test holds this model against it column by column.
/// </summary>
public sealed partial class FogDbContext(DbContextOptions<FogDbContext> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfigurationsFromAssembly(typeof(FogDbContext).Assembly);
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        foreach (var property in entity.GetProperties())
            NameColumn(property);
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<Enum>().HaveConversion<string>();
        foreach (var id in TypedIds)
            configurationBuilder.Properties(id).HaveConversion(typeof(TypedIdConverter<>).MakeGenericType(id));
    }

    /// <summary>Every <c>readonly record struct SomethingId(Guid Value)</c> of the domain.</summary>
    private static readonly Type[] TypedIds = typeof(AccountId).Assembly.GetTypes()
        .Where(t => t is { IsValueType: true, IsEnum: false } && t.Name.EndsWith("Id", StringComparison.Ordinal)
            && t.GetConstructor([typeof(Guid)]) is not null && t.GetProperty("Value")?.PropertyType == typeof(Guid))
        .ToArray();

    private static void NameColumn(IMutableProperty property)
    {
        if (property.FindAnnotation(RelationalAnnotationNames.ColumnName) is null)
            property.SetColumnName(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
    }
}

/// <summary>Typed id ↔ uuid.</summary>
internal sealed class TypedIdConverter<TId>() : ValueConverter<TId, Guid>(ToGuid, FromGuid) where TId : struct
{
    private static readonly System.Linq.Expressions.Expression<Func<TId, Guid>> ToGuid = BuildRead();
    private static readonly System.Linq.Expressions.Expression<Func<Guid, TId>> FromGuid = BuildCreate();

    private static System.Linq.Expressions.Expression<Func<TId, Guid>> BuildRead()
    {
        var id = System.Linq.Expressions.Expression.Parameter(typeof(TId));
        return System.Linq.Expressions.Expression.Lambda<Func<TId, Guid>>(System.Linq.Expressions.Expression.Property(id, "Value"), id);
    }

    private static System.Linq.Expressions.Expression<Func<Guid, TId>> BuildCreate()
    {
        var value = System.Linq.Expressions.Expression.Parameter(typeof(Guid));
        return System.Linq.Expressions.Expression.Lambda<Func<Guid, TId>>(
            System.Linq.Expressions.Expression.New(typeof(TId).GetConstructor([typeof(Guid)])!, value), value);
    }
}
