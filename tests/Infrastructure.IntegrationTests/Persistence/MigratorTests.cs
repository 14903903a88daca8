using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FogCompute.Infrastructure.IntegrationTests.Persistence;

[TestFixture]
public sealed class MigratorTests
{
    private static readonly Migration First = Migration.FromFile("0001_test_one.sql", "CREATE TABLE one (n int); INSERT INTO one VALUES (1);");
    private static readonly Migration Second = Migration.FromFile("0002_test_two.sql", "CREATE TABLE two (n int); INSERT INTO two SELECT n + 1 FROM one;");

    private TestDatabase _database = null!;

    [SetUp]
    public async Task SetUp() => _database = await TestDatabase.CreateEmptyAsync();

    [TearDown]
    public async Task TearDown() => await _database.DisposeAsync();

    [Test]
    public async Task Applies_each_file_once_and_remembers_it()
    {
        Assert.That((await MigrateAsync(First)).Applied, Is.EqualTo(new[] { "0001_test_one" }));
        Assert.That((await MigrateAsync(First, Second)).Applied, Is.EqualTo(new[] { "0002_test_two" }));
        Assert.That((await MigrateAsync(First, Second)).Applied, Is.Empty);
        Assert.That(await ScalarAsync("SELECT n FROM two"), Is.EqualTo(2));
        Assert.That(await ScalarAsync("SELECT count(*) FROM platform.schema_migrations WHERE length(checksum) = 64 AND duration_ms >= 0 AND applied_at <= now()"), Is.EqualTo(2L));
    }

    [Test]
    public async Task Of_many_that_start_at_once_one_applies_and_the_others_find_nothing_to_do()
    {
        var slow = First with { Sql = First.Sql + "SELECT pg_sleep(0.3);" };
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Migrator.MigrateAsync(_database.DataSource, [slow, Second], null, default)));
        Assert.That(outcomes.Sum(outcome => outcome.Applied.Count), Is.EqualTo(2));
        Assert.That(outcomes.Count(outcome => outcome.Applied.Count > 0), Is.EqualTo(1));
        Assert.That(outcomes.Select(outcome => outcome.Version), Has.All.EqualTo(2));
    }

    [Test]
    public async Task Refuses_a_file_that_changed_after_it_was_applied()
    {
        await MigrateAsync(First);
        var edited = Migration.FromFile("0001_test_one.sql", First.Sql + " -- harmless?");
        Assert.That(() => MigrateAsync(edited, Second), Throws.InstanceOf<MigrationRefusedException>().With.Message.Contains("0001_test_one changed after"));
        Assert.That(await ScalarAsync("SELECT to_regclass('two') IS NULL"), Is.True);
    }

    [Test]
    public async Task Line_ends_of_the_checkout_do_not_matter()
    {
        await MigrateAsync(Migration.FromFile("0001_test_one.sql", "CREATE TABLE one (\n n int);\n"));
        Assert.That((await MigrateAsync(Migration.FromFile("0001_test_one.sql", "CREATE TABLE one (\r\n n int);\r\n"))).Applied, Is.Empty);
    }

    [Test]
    public void Refuses_gaps_and_doubles_in_the_numbers()
    {
        Assert.That(() => MigrateAsync(First, Second with { Number = 3, Name = "0003_test_two" }), Throws.InstanceOf<MigrationRefusedException>().With.Message.Contains("0002"));
        Assert.That(() => MigrateAsync(First, First with { Name = "0001_test_other" }), Throws.InstanceOf<MigrationRefusedException>());
    }

    [Test]
    public async Task Refuses_a_database_that_is_newer_than_the_build()
    {
        await MigrateAsync(First, Second);
        Assert.That(() => MigrateAsync(First), Throws.InstanceOf<MigrationRefusedException>().With.Message.Contains("newer than this build"));
    }

    [Test]
    public async Task Refuses_a_database_of_another_history()
    {
        await MigrateAsync(First);
        Assert.That(() => MigrateAsync(First with { Name = "0001_test_uno" }), Throws.InstanceOf<MigrationRefusedException>().With.Message.Contains("0001_test_one"));
    }

    [Test]
    public async Task A_file_that_fails_leaves_nothing_of_itself_and_names_the_statement()
    {
        var broken = Migration.FromFile("0002_test_two.sql", "CREATE TABLE two (n int); INSERT INTO missing VALUES (1);");
        Assert.That(() => MigrateAsync(First, broken), Throws.InstanceOf<MigrationRefusedException>().With.Message.Contains("0002_test_two failed").And.Message.Contains("INSERT INTO missing"));
        Assert.That(await ScalarAsync("SELECT to_regclass('two') IS NULL"), Is.True);
        Assert.That((await MigrateAsync(First, Second)).Applied, Is.EqualTo(new[] { "0002_test_two" }));
    }

    [Test]
    public async Task Takes_functions_in_dollar_quotes_whole()
    {
        var function = Migration.FromFile("0001_test_function.sql", "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 7; END $$; SELECT f();");
        await MigrateAsync(function);
        Assert.That(await ScalarAsync("SELECT f()"), Is.EqualTo(7));
    }

    [Test]
    public async Task A_control_plane_that_starts_before_its_database_migrates_when_it_is_there()
    {
        await using var late = await TestDatabase.CreatePrivateAsync(migrated: false);
        IHost host = null!;
        MigrationState state = null!;
        await late.RestartAsync(meanwhile: async () =>
        {
            host = await late.StartHostAsync();
            state = host.Services.GetRequiredService<MigrationState>();
            await Eventually.TrueAsync(() => state.Waiting is not null, "it waits and says why");
            Assert.That(state.IsReady, Is.False);
        });
        using (host)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await state.WaitAsync(patience.Token);
            Assert.That(state.Waiting, Is.Null);
            await host.StopAsync();
        }
    }

    private Task<MigrationOutcome> MigrateAsync(params Migration[] migrations) => Migrator.MigrateAsync(_database.DataSource, migrations, null, default);

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var command = _database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}
