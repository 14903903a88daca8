using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Moq;

namespace FogCompute.Application.UnitTests.Pipeline;

/// <summary>The real pipeline as AddApplication builds it; only the ports (transaction, signals, remembered answers) are stand-ins that write down the order.</summary>
public sealed class PipelineTests
{
    private static readonly AccountId Account = new(Guid.Parse("00000000-0000-7000-8000-000000000001"));

    private readonly List<string> _order = [];
    private readonly Mock<IIdempotencyStore> _store = new();
    private readonly Mock<ISignals> _signals = new();
    private readonly Mock<IUnitOfWork> _unitOfWork = new();
    private ServiceProvider _services = null!;
    private IServiceScope _scope = null!;

    [SetUp]
    public void Build()
    {
        _order.Clear();
        _store.Reset();
        _unitOfWork.Reset();
        _signals.Setup(s => s.Publish(It.IsAny<string>())).Callback<string>(topic => _order.Add("signal " + topic));
        _unitOfWork.Setup(u => u.RunAsync(It.IsAny<Func<CancellationToken, Task<int>>>(), It.IsAny<Func<CancellationToken, Task>>(), It.IsAny<CancellationToken>()))
            .Returns(async (Func<CancellationToken, Task<int>> work, Func<CancellationToken, Task> beforeCommit, CancellationToken cancel) =>
            {
                _order.Add("begin");
                var result = await work(cancel);
                await beforeCommit(cancel);
                _order.Add("commit");
                return result;
            });
        _services = new ServiceCollection().AddLogging().AddApplication()
            .AddSingleton(_order).AddSingleton(_store.Object).AddSingleton(_signals.Object).AddSingleton(_unitOfWork.Object)
            .AddScoped<IRequestHandler<DoThingCommand, int>, DoThingHandler>().AddScoped<IRequestHandler<SeeThingQuery, int>, SeeThingHandler>()
            .AddScoped<INotificationHandler<ThingDone>, OnThingDone>().AddScoped<INotificationHandler<ThingFollowed>, OnThingFollowed>()
            .AddSingleton<IValidator<DoThingCommand>, DoThingValidator>().AddSingleton<IValidator<DoThingCommand>, DoThingNameValidator>()
            .BuildServiceProvider();
        _scope = _services.CreateScope();
    }

    [TearDown]
    public void Drop()
    {
        _scope.Dispose();
        _services.Dispose();
    }

    private Task<int> DoAsync(DoThingCommand command, params string[] permissions) => As(CallerKind.ApiKey, permissions).SendAsync(command);

    private IDispatcher As(CallerKind kind, params string[] permissions)
    {
        _scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = new Caller(kind, Account, null, permissions.ToHashSet());
        return _scope.ServiceProvider.GetRequiredService<IDispatcher>();
    }

    [Test]
    public void A_scope_without_a_caller_is_anonymous_and_refused()
    {
        var refusal = Assert.ThrowsAsync<FogException>(() => _scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new DoThingCommand()))!;
        Assert.That(refusal.Error, Is.EqualTo(IdentityErrors.Unauthenticated));
        Assert.That(_order, Is.Empty, "nothing may have run");
    }

    [Test]
    public void A_caller_without_the_permission_is_forbidden_and_told_which_it_lacks()
    {
        var refusal = Assert.ThrowsAsync<FogException>(() => DoAsync(new DoThingCommand(), Permissions.JobsRead, Permissions.Operate))!;
        Assert.That((refusal.Error.Kind, refusal.Error.Code), Is.EqualTo((ErrorKind.Forbidden, "identity.forbidden")));
        Assert.That(refusal.Message, Does.Contain(Permissions.JobsWrite));
        Assert.That(_order, Is.Empty);
    }

    [Test]
    public void Who_may_not_act_learns_nothing_about_what_a_valid_message_is()
    {
        var refusal = Assert.ThrowsAsync<FogException>(() => DoAsync(new DoThingCommand { MaxPrice = -1 }))!;
        Assert.That(refusal.Error.Kind, Is.EqualTo(ErrorKind.Forbidden));
    }

    [Test]
    public async Task A_public_use_case_is_open_to_anyone() =>
        Assert.That(await As(CallerKind.Anonymous).SendAsync(new SeeThingQuery()), Is.EqualTo(7));

    [Test]
    public void Validation_names_every_violation_by_its_wire_name_at_once()
    {
        var refusal = Assert.ThrowsAsync<FogException>(() => DoAsync(new DoThingCommand { MaxPrice = -1, ThingName = "", Parts = [1, -2, -3] }, Permissions.JobsWrite))!;
        Assert.That(refusal.Error.Kind, Is.EqualTo(ErrorKind.Invalid));
        Assert.That(refusal.Error.Code, Is.EqualTo("common.validation_failed"));
        Assert.That(refusal.Fields.Keys, Is.EquivalentTo(new[] { "max_price", "thing_name", "parts[1]", "parts[2]" }));
        Assert.That(refusal.Message, Does.Contain("max_price").And.Contain("parts[2]"));
        Assert.That(_order, Is.Empty, "an invalid message opens no transaction");
    }

    [Test]
    public async Task Events_run_before_the_commit_and_signals_after_it()
    {
        Assert.That(await DoAsync(new DoThingCommand(), Permissions.JobsWrite), Is.EqualTo(42));
        Assert.That(_order, Is.EqualTo(new[] { "begin", "handle", "event done", "event followed", "commit", "signal place" }), "also events that events raise; each topic once");
    }

    [Test]
    public async Task A_query_opens_no_transaction()
    {
        await As(CallerKind.ApiKey).SendAsync(new SeeThingQuery());
        Assert.That(_order, Is.EqualTo(new[] { "see" }));
    }

    [Test]
    public void A_handler_that_fails_commits_and_signals_nothing()
    {
        Assert.ThrowsAsync<InvalidOperationException>(() => DoAsync(new DoThingCommand { Fails = true }, Permissions.JobsWrite));
        Assert.That(_order, Is.EqualTo(new[] { "begin", "handle" }));
    }

    [Test]
    public void An_event_handler_that_fails_rolls_the_use_case_back()
    {
        Assert.ThrowsAsync<InvalidOperationException>(() => DoAsync(new DoThingCommand { EventFails = true }, Permissions.JobsWrite));
        Assert.That(_order, Is.EqualTo(new[] { "begin", "handle", "event done" }));
    }

    [Test]
    public async Task A_repeated_transaction_forgets_the_events_and_signals_of_its_first_try()
    {
        _unitOfWork.Setup(u => u.RunAsync(It.IsAny<Func<CancellationToken, Task<int>>>(), It.IsAny<Func<CancellationToken, Task>>(), It.IsAny<CancellationToken>()))
            .Returns(async (Func<CancellationToken, Task<int>> work, Func<CancellationToken, Task> beforeCommit, CancellationToken cancel) =>
            {
                await work(cancel); // a deadlock: everything of this try is rolled back
                var result = await work(cancel);
                await beforeCommit(cancel);
                _order.Add("commit");
                return result;
            });
        await DoAsync(new DoThingCommand(), Permissions.JobsWrite);
        Assert.That(_order, Is.EqualTo(new[] { "handle", "handle", "event done", "event followed", "commit", "signal place" }));
    }

    [Test]
    public async Task A_command_under_a_new_key_runs_once_and_its_answer_is_remembered_in_the_same_transaction()
    {
        IdempotencyReservation? asked = null;
        _store.Setup(s => s.ReserveAsync<int>(It.IsAny<IdempotencyReservation>(), It.IsAny<CancellationToken>()))
            .Callback<IdempotencyReservation, CancellationToken>((r, _) => { asked = r; _order.Add("reserve"); }).ReturnsAsync(new EarlierAnswer<int>(false, 0));
        _store.Setup(s => s.RememberAsync(It.IsAny<IdempotencyReservation>(), 42, It.IsAny<CancellationToken>())).Callback(() => _order.Add("remember")).Returns(Task.CompletedTask);

        Assert.That(await DoAsync(new DoThingCommand { IdempotencyKey = "k1" }, Permissions.JobsWrite), Is.EqualTo(42));

        Assert.That(_order.Take(4), Is.EqualTo(new[] { "begin", "reserve", "handle", "remember" }));
        Assert.That((asked!.Account, asked.Command, asked.Key), Is.EqualTo((Account, nameof(DoThingCommand), "k1")));
    }

    [Test]
    public async Task A_command_under_a_used_key_gets_the_earlier_answer_and_does_nothing()
    {
        _store.Setup(s => s.ReserveAsync<int>(It.IsAny<IdempotencyReservation>(), It.IsAny<CancellationToken>())).ReturnsAsync(new EarlierAnswer<int>(true, 41));
        Assert.That(await DoAsync(new DoThingCommand { IdempotencyKey = "k1" }, Permissions.JobsWrite), Is.EqualTo(41));
        Assert.That(_order, Is.EqualTo(new[] { "begin", "commit" }));
    }

    [Test]
    public void A_command_that_fails_is_not_remembered()
    {
        _store.Setup(s => s.ReserveAsync<int>(It.IsAny<IdempotencyReservation>(), It.IsAny<CancellationToken>())).ReturnsAsync(new EarlierAnswer<int>(false, 0));
        Assert.ThrowsAsync<InvalidOperationException>(() => DoAsync(new DoThingCommand { IdempotencyKey = "k1", Fails = true }, Permissions.JobsWrite));
        _store.Verify(s => s.RememberAsync(It.IsAny<IdempotencyReservation>(), It.IsAny<int>(), It.IsAny<CancellationToken>()), Times.Never);
    }

    [Test]
    public async Task Without_a_key_nothing_is_remembered()
    {
        await DoAsync(new DoThingCommand(), Permissions.JobsWrite);
        _store.VerifyNoOtherCalls();
    }

    [Test]
    public void A_fingerprint_is_of_the_message_and_not_of_its_key()
    {
        var message = new DoThingCommand { IdempotencyKey = "k1" };
        Assert.That(IdempotencyFingerprint.Of(message with { IdempotencyKey = "k2" }), Is.EqualTo(IdempotencyFingerprint.Of(message)));
        Assert.That(IdempotencyFingerprint.Of(message with { MaxPrice = 2 }), Is.Not.EqualTo(IdempotencyFingerprint.Of(message)));
    }

    [TestCase("Name", "name")]
    [TestCase("Payload.MaxPrice[2]", "payload.max_price[2]")]
    [TestCase("Items[0].OutputDigest", "items[0].output_digest")]
    public void Property_paths_are_spelt_as_the_caller_wrote_them(string path, string expected) => Assert.That(WireNames.Of(path), Is.EqualTo(expected));

    [Test]
    public void Every_use_case_declares_a_permission_that_exists()
    {
        var useCases = DependencyInjection.UseCases(typeof(DependencyInjection).Assembly).ToList();
        Assert.That(useCases, Has.Count.GreaterThan(30));
        Assert.That(useCases.Where(u => u.Permission is null || !Permissions.All.Contains(u.Permission)).Select(u => u.Request.Name), Is.Empty);
    }

    [Test]
    public void A_use_case_without_permission_stops_the_start() =>
        Assert.That(() => DependencyInjection.RequirePermissions(typeof(BareCommand).Assembly), Throws.InvalidOperationException.With.Message.Contains(nameof(BareCommand)));

    [Test]
    public void Nothing_but_the_bare_use_case_is_complained_of() =>
        Assert.That(() => DependencyInjection.RequirePermissions(typeof(BareCommand).Assembly), Throws.InvalidOperationException.With.Message.Not.Contains(nameof(DoThingCommand)));

    [Test]
    public void Every_use_case_has_exactly_one_handler()
    {
        var services = new ServiceCollection().AddApplication();
        foreach (var (request, _) in DependencyInjection.UseCases(typeof(DependencyInjection).Assembly))
        {
            var contract = typeof(IRequestHandler<,>).MakeGenericType(request, request.GetInterfaces().Single(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IRequest<>)).GetGenericArguments()[0]);
            Assert.That(services.Count(s => s.ServiceType == contract), Is.EqualTo(1), request.Name);
        }
    }

    [Test]
    public void Members_devices_and_enrolment_tokens_never_operate_the_pool()
    {
        Assert.That(Permissions.Member, Does.Not.Contain(Permissions.Operate).And.Not.Contain(Permissions.DeviceAgent));
        Assert.That(Permissions.Device, Does.Not.Contain(Permissions.Operate).And.Not.Contain(Permissions.JobsWrite).And.Not.Contain(Permissions.KeysManage));
        Assert.That(Permissions.Enrolment, Is.EquivalentTo(new[] { Permissions.Public, Permissions.DevicesWrite }));
        Assert.That(Caller.Anonymous.Permissions, Is.Empty);
    }

    [Test]
    public void Only_operators_act_for_other_accounts()
    {
        var other = new AccountId(Guid.Parse("00000000-0000-7000-8000-000000000002"));
        var member = new Caller(CallerKind.ApiKey, Account, null, Permissions.Member.ToHashSet());
        Assert.That((member.MayActFor(Account), member.MayActFor(other)), Is.EqualTo((true, false)));
        Assert.That(Caller.System.MayActFor(other), Is.True);
    }
}
