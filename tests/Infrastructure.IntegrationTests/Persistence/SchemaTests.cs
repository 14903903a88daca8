using System.Text.RegularExpressions;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence;

/// <summary>The three proofs: migrations = schema.sql, EF model = tables, files in order. FOG_UPDATE_SCHEMA=1 rewrites schema.sql.</summary>
[TestFixture]
public sealed partial class SchemaTests
{
    private static readonly string SchemaFile = Repository.Path("migrations", "schema.sql");

    private TestDatabase _database = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _database = await TestDatabase.CreateAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [Test]
    public async Task All_migrations_from_empty_make_schema_sql()
    {
        await using var empty = await TestDatabase.CreateEmptyAsync();
        var outcome = await Migrator.MigrateAsync(empty.DataSource);
        Assert.That(outcome.Applied, Has.Count.EqualTo(Migrator.Embedded.Count));
        var made = await SchemaDump.OfAsync(empty);
        if (Environment.GetEnvironmentVariable("FOG_UPDATE_SCHEMA") == "1")
            await File.WriteAllTextAsync(SchemaFile, made);
        Assert.That(File.Exists(SchemaFile), Is.True, "migrations/schema.sql is missing; make it with ./dev db schema (FOG_UPDATE_SCHEMA=1 and this test)");
        Assert.That(made, Is.EqualTo(await File.ReadAllTextAsync(SchemaFile)), "migrations and schema.sql differ; run ./dev db schema and look at the difference");
    }

    [Test]
    public void Files_are_numbered_in_order_and_all_of_them_are_embedded()
    {
        var files = Directory.GetFiles(Repository.Path("migrations"), "*.sql").Select(Path.GetFileName).Where(name => name != "schema.sql").Order(StringComparer.Ordinal).ToList();
        Assert.That(files, Is.EqualTo(Migrator.Embedded.Select(migration => migration.Name + ".sql")), "rebuild if a file was just added");
        Assert.That(Migrator.Embedded.Select(migration => migration.Number), Is.EqualTo(Enumerable.Range(1, files.Count)));
    }

    [TestCase("1_platform_base.sql")]
    [TestCase("0001platform.sql")]
    [TestCase("0001_platform.sql")]
    [TestCase("0001_Platform_base.sql")]
    [TestCase("0001_platform_base.SQL")]
    public void Refuses_a_file_name_out_of_form(string name) =>
        Assert.That(() => Migration.FromFile(name, ""), Throws.InvalidOperationException.With.Message.Contains("NNNN_module_what.sql"));

    [Test]
    public async Task Every_table_says_what_it_is_for()
    {
        var bare = await ListAsync(
            """
            SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
            ORDER BY 1
            """);
        Assert.That(bare, Is.Empty, "tables without COMMENT ON TABLE");
    }

    [Test]
    public async Task The_model_fits_the_tables_column_by_column()
    {
        await using var services = _database.BuildServices();
        await using var scope = services.CreateAsyncScope();
        var model = scope.ServiceProvider.GetRequiredService<FogDbContext>().Model;
        var columns = await ColumnsAsync(_database.DataSource);
        Assert.That(model.GetEntityTypes(), Is.Not.Empty, "nothing to compare");
        Assert.That(Differences(model, columns), Is.Empty);
    }

    /// <summary>The proof itself can fail: a model with one mistake of each kind.</summary>
    [Test]
    public async Task The_comparison_of_model_and_tables_finds_each_kind_of_difference()
    {
        await using var services = new ServiceCollection()
            .AddDbContext<WrongContext>(options => options.UseNpgsql(_database.ConnectionString))
            .BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        var differences = Differences(scope.ServiceProvider.GetRequiredService<WrongContext>().Model, await ColumnsAsync(_database.DataSource));
        Assert.That(differences, Is.EquivalentTo(new[]
        {
            "platform.recurring_jobs.name: the model says integer, the table says text",
            "platform.recurring_jobs.last_error: the model says NOT NULL, the table allows null",
            "platform.recurring_jobs.last_started_at: the model says text, the table says timestamp with time zone",
            "platform.recurring_jobs.runs: the model allows null, the table says NOT NULL",
            "platform.recurring_jobs.invented: the table has no such column",
            "platform.idempotency_keys.account_id: the model lacks the column, which has no default",
            "platform.idempotency_keys.fingerprint: the model lacks the column, which has no default",
            "platform.idempotency_keys.command: the model lacks the column, which has no default",
            "platform.nowhere: there is no such table",
        }));
    }

    private sealed class WrongContext(DbContextOptions<WrongContext> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<WrongJob>(job =>
            {
                job.ToTable("recurring_jobs", "platform").HasKey(j => j.Name);
                job.Property(j => j.Name).HasColumnName("name");
                job.Property(j => j.LastError).HasColumnName("last_error");
                job.Property(j => j.Started).HasColumnName("last_started_at");
                job.Property(j => j.Runs).HasColumnName("runs");
                job.Property(j => j.Invented).HasColumnName("invented");
            });
            modelBuilder.Entity<WrongKey>().ToTable("idempotency_keys", "platform").HasKey(k => k.Key);
            modelBuilder.Entity<WrongKey>().Property(k => k.Key).HasColumnName("key");
            modelBuilder.Entity<Lost>().ToTable("nowhere", "platform");
        }
    }

    private sealed class WrongJob
    {
        public int Name { get; set; }
        public string LastError { get; set; } = "";
        public string? Started { get; set; }
        public long? Runs { get; set; }
        public long Invented { get; set; }
    }

    private sealed class WrongKey
    {
        public string Key { get; set; } = "";
    }

    private sealed class Lost
    {
        public int Id { get; set; }
    }

    private sealed record Column(string Type, bool Nullable, bool HasDefault);

    private static List<string> Differences(IModel model, Dictionary<string, Dictionary<string, Column>> tables)
    {
        var differences = new List<string>();
        foreach (var mapped in model.GetRelationalModel().Tables)
        {
            var table = $"{mapped.Schema ?? "public"}.{mapped.Name}";
            if (!tables.TryGetValue(table, out var columns))
            {
                differences.Add($"{table}: there is no such table");
                continue;
            }
            foreach (var column in mapped.Columns)
            {
                if (!columns.TryGetValue(column.Name, out var actual))
                {
                    differences.Add($"{table}.{column.Name}: the table has no such column");
                    continue;
                }
                if (Plain(column.StoreType) != actual.Type)
                    differences.Add($"{table}.{column.Name}: the model says {Plain(column.StoreType)}, the table says {actual.Type}");
                if (column.IsNullable && !actual.Nullable)
                    differences.Add($"{table}.{column.Name}: the model allows null, the table says NOT NULL");
                if (!column.IsNullable && actual.Nullable)
                    differences.Add($"{table}.{column.Name}: the model says NOT NULL, the table allows null");
            }
            // A column that only set-based SQL knows is fine as long as EF can insert a row without it.
            differences.AddRange(columns
                .Where(actual => mapped.FindColumn(actual.Key) is null && actual.Value is { Nullable: false, HasDefault: false })
                .Select(actual => $"{table}.{actual.Key}: the model lacks the column, which has no default"));
        }
        return differences;
    }

    /// <summary>The spelling of format_type.</summary>
    private static string Plain(string storeType) => VarChar().Replace(storeType, "character varying");

    [GeneratedRegex(@"\bvarchar\b", RegexOptions.NonBacktracking)]
    private static partial Regex VarChar();

    private static async Task<Dictionary<string, Dictionary<string, Column>>> ColumnsAsync(NpgsqlDataSource database)
    {
        // information_schema.columns names arrays and lengths poorly, so the type comes from the catalogue it is a view of.
        await using var command = database.CreateCommand(
            """
            SELECT i.table_schema || '.' || i.table_name, i.column_name, format_type(a.atttypid, a.atttypmod), i.is_nullable = 'YES',
                i.column_default IS NOT NULL OR i.is_generated = 'ALWAYS' OR i.is_identity = 'YES'
            FROM information_schema.columns i
            JOIN pg_attribute a ON a.attrelid = format('%I.%I', i.table_schema, i.table_name)::regclass AND a.attname = i.column_name
            WHERE i.table_schema NOT IN ('pg_catalog', 'information_schema')
            """);
        var tables = new Dictionary<string, Dictionary<string, Column>>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var table = reader.GetString(0);
            if (!tables.TryGetValue(table, out var columns))
                tables.Add(table, columns = new Dictionary<string, Column>(StringComparer.Ordinal));
            columns.Add(reader.GetString(1), new Column(reader.GetString(2), reader.GetBoolean(3), reader.GetBoolean(4)));
        }
        return tables;
    }

    private async Task<List<string>> ListAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
            rows.Add(reader.GetString(0));
        return rows;
    }
}
