using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("auth")]
[Route("api/auth")]
public sealed class AuthController(IDispatcher dispatcher) : ControllerBase
{
    [HttpPost("register"), IgnoresCredentials]
    [ProducesResponseType<RegisteredAnswer>(201)]
    public async Task<IActionResult> Register([FromBody] RegisterCommand command, CancellationToken cancel) => Created("/api/auth/me", await dispatcher.SendAsync(command, cancel));

    [HttpPost("login"), IgnoresCredentials]
    public async Task<TokensAnswer> Login([FromBody] LoginCommand command, CancellationToken cancel) => (await dispatcher.SendAsync(command, cancel)).AnswerOrThrow();

    [HttpPost("refresh"), IgnoresCredentials]
    public async Task<TokensAnswer> Refresh([FromBody] RefreshCommand command, CancellationToken cancel) => (await dispatcher.SendAsync(command, cancel)).AnswerOrThrow();

    [HttpPost("logout")]
    public Task<DoneAnswer> Logout(CancellationToken cancel) => dispatcher.SendAsync(new LogoutCommand(), cancel);

    [HttpGet("me")]
    public Task<MeAnswer> GetMe(CancellationToken cancel) => dispatcher.SendAsync(new GetMeQuery(), cancel);

    [HttpPost("change-password")]
    public async Task<DoneAnswer> ChangePassword([FromBody] ChangePasswordCommand command, CancellationToken cancel) => (await dispatcher.SendAsync(command, cancel)).AnswerOrThrow();

    [HttpPost("reset-password"), IgnoresCredentials]
    public Task<DoneAnswer> RequestPasswordReset([FromBody] RequestPasswordResetCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpPost("reset-password/confirm"), IgnoresCredentials]
    public Task<DoneAnswer> ResetPassword([FromBody] ResetPasswordCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpPost("mfa/enrol")]
    public async Task<MfaSecretAnswer> EnrolMfa([FromBody] EnrolMfaCommand command, CancellationToken cancel) => (await dispatcher.SendAsync(command, cancel)).AnswerOrThrow();

    [HttpPost("mfa/confirm")]
    public Task<RecoveryCodesAnswer> ConfirmMfa([FromBody] ConfirmMfaCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpPost("mfa/disable")]
    public async Task<DoneAnswer> DisableMfa([FromBody] DisableMfaCommand command, CancellationToken cancel) => (await dispatcher.SendAsync(command, cancel)).AnswerOrThrow();

    [HttpGet("sessions")]
    public Task<SessionsAnswer> ListSessions(CancellationToken cancel) => dispatcher.SendAsync(new ListSessionsQuery(), cancel);

    [HttpDelete("sessions")]
    public Task<DoneAnswer> RevokeOtherSessions(CancellationToken cancel) => dispatcher.SendAsync(new RevokeOtherSessionsCommand(), cancel);

    [HttpDelete("sessions/{id:guid}")]
    public Task<DoneAnswer> RevokeSession(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new RevokeSessionCommand { Id = new SessionId(id) }, cancel);

    [HttpPost("setup"), IgnoresCredentials]
    [ProducesResponseType<RegisteredAnswer>(201)]
    public async Task<IActionResult> SetUp([FromBody] SetUpCommand command, CancellationToken cancel) => Created("/api/auth/me", await dispatcher.SendAsync(command, cancel));
}
