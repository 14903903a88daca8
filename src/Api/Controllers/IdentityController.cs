using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using Microsoft.AspNetCore.Mvc;

namespace FogCompute.Api.Controllers;

[Tags("identity")]
[Route("api/identity")]
public sealed class IdentityController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("whoami")]
    public Task<WhoAmIAnswer> WhoAmI(CancellationToken cancel) => dispatcher.SendAsync(new WhoAmIQuery(), cancel);

    [HttpPost("accounts")]
    [ProducesResponseType<AccountAnswer>(201)]
    public async Task<IActionResult> CreateAccount([FromBody] CreateAccountCommand command, CancellationToken cancel)
    {
        var account = await dispatcher.SendAsync(command, cancel);
        return Created($"/api/identity/accounts/{account.Id}", account);
    }

    [HttpGet("accounts")]
    public Task<AccountsAnswer> ListAccounts([FromQuery] ListAccountsQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("accounts/{id:guid}")]
    public Task<AccountAnswer> GetAccount(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new GetAccountQuery { Id = new AccountId(id) }, cancel);

    [HttpPost("api-keys")]
    [ProducesResponseType<IssuedKeyAnswer>(201)]
    public async Task<IActionResult> CreateApiKey([FromBody] CreateApiKeyCommand command, CancellationToken cancel) =>
        Created("/api/identity/api-keys", await dispatcher.SendAsync(command, cancel));

    [HttpGet("api-keys")]
    public Task<ApiKeysAnswer> ListApiKeys(CancellationToken cancel) => dispatcher.SendAsync(new ListApiKeysQuery(), cancel);

    [HttpDelete("api-keys/{id:guid}")]
    public Task<RevokedKeyAnswer> RevokeApiKey(Guid id, CancellationToken cancel) => dispatcher.SendAsync(new RevokeApiKeyCommand { Id = new AccessKeyId(id) }, cancel);

    [HttpPost("enrolment-tokens")]
    [ProducesResponseType<IssuedKeyAnswer>(201)]
    public async Task<IActionResult> CreateEnrolmentToken([FromBody] CreateEnrolmentTokenCommand command, CancellationToken cancel) =>
        Created("/api/identity/api-keys", await dispatcher.SendAsync(command, cancel));

    [HttpGet("users")]
    public Task<UsersAnswer> ListUsers([FromQuery] ListUsersQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpPut("users/{id:guid}/roles")]
    public Task<UserAnswer> SetUserRoles(Guid id, [FromBody] SetUserRolesCommand command, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { UserId = new AccountId(id) }, cancel);

    [HttpPut("users/{id:guid}/active")]
    public Task<UserAnswer> SetUserActive(Guid id, [FromBody] SetUserActiveCommand command, CancellationToken cancel) =>
        dispatcher.SendAsync(command with { UserId = new AccountId(id) }, cancel);
}
