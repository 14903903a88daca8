using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/identity/accounts?limit=&after=
// Every account, by name.

/// <summary>List the accounts by name. Only operators may.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListAccountsQuery : IQuery<AccountsAnswer>
{
    /// <summary>Most entries in one answer, 1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Go on after this name (<c>next</c> of the answer before).</summary>
    public string? After { get; init; }
}

/// <param name="Next">Send it as <c>after</c> to get more; null at the end.</param>
public sealed record AccountsAnswer(IReadOnlyList<AccountAnswer> Accounts, long Total, string? Next);

internal sealed class ListAccountsValidator : AbstractValidator<ListAccountsQuery>
{
    public ListAccountsValidator() => RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
}

internal sealed class ListAccountsHandler(IIdentityDb db) : IQueryHandler<ListAccountsQuery, AccountsAnswer>
{
    public async Task<AccountsAnswer> Handle(ListAccountsQuery query, CancellationToken cancellationToken)
    {
        var after = query.After ?? "";
        var page = await db.Accounts.AsNoTracking()
            .Where(a => a.Name.CompareTo(after) > 0)
            .OrderBy(a => a.Name)
            .Take(query.Limit + 1)
            .ToListAsync(cancellationToken);
        var shown = page.Take(query.Limit).Select(AccountAnswer.Of).ToList();
        return new AccountsAnswer(shown, await db.Accounts.LongCountAsync(cancellationToken), page.Count > query.Limit ? shown[^1].Name : null);
    }
}
