using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/identity/users?limit=&after=
// Every user, by name.

/// <summary>List the users by name. Only admins may.</summary>
[RequiresPermission(Permissions.UsersManage)]
public sealed record ListUsersQuery : IQuery<UsersAnswer>
{
    /// <summary>Most entries in one answer, 1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Go on after this name (<c>next</c> of the answer before).</summary>
    public string? After { get; init; }
}

/// <param name="Next">Send it as <c>after</c> to get more; null at the end.</param>
public sealed record UsersAnswer(IReadOnlyList<UserAnswer> Users, int Total, string? Next);

/// <param name="Id">Also the id of their account.</param>
public sealed record UserAnswer(Guid Id, string Username, string Email, IReadOnlyList<string> Roles, bool IsActive, bool MfaEnabled, DateTimeOffset CreatedAt)
{
    internal static UserAnswer Of(User user, string name) => new(user.Id.Value, name, user.Email, user.Roles, user.IsActive, user.HasMfa, user.CreatedAt);
}

internal sealed class ListUsersValidator : AbstractValidator<ListUsersQuery>
{
    public ListUsersValidator() => RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
}

internal sealed class ListUsersHandler(IIdentityDb db) : IQueryHandler<ListUsersQuery, UsersAnswer>
{
    public async Task<UsersAnswer> Handle(ListUsersQuery query, CancellationToken cancellationToken)
    {
        var after = query.After ?? "";
        var page = await db.Users.AsNoTracking().Join(db.Accounts, u => u.Id, a => a.Id, (u, a) => new { User = u, a.Name })
            .Where(f => f.Name.CompareTo(after) > 0)
            .OrderBy(f => f.Name)
            .Take(query.Limit + 1)
            .ToListAsync(cancellationToken);
        var shown = page.Take(query.Limit).Select(f => UserAnswer.Of(f.User, f.Name)).ToList();
        return new UsersAnswer(shown, await db.Users.CountAsync(cancellationToken), page.Count > query.Limit ? shown[^1].Username : null);
    }
}
