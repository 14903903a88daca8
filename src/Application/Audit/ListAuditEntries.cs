using System.Text.Json;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Audit;

namespace FogCompute.Application.Audit;

// GET /api/audit/entries?account=&action=&from=&to=&cursor=&limit=
// Newest first; a page continues exactly where the one before ended, also while entries are added.

/// <summary>List the audit log, newest first: who did what to what.</summary>
[RequiresPermission(Permissions.AuditRead)]
public sealed record ListAuditEntriesQuery : IQuery<AuditEntries>, IAuditPeriod
{
    /// <summary>What this account's callers did.</summary>
    public Guid? Account { get; init; }

    /// <summary>A whole action, or all of a module with a trailing dot: <c>identity.</c></summary>
    public string? Action { get; init; }

    /// <summary>First instant.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>First instant no longer included.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary><c>next</c> of the page before.</summary>
    public long? Cursor { get; init; }

    /// <summary>Entries per page, 1–1000.</summary>
    public int Limit { get; init; } = 100;
}

/// <param name="Next">Cursor of the next page; null on the last.</param>
public sealed record AuditEntries(IReadOnlyList<AuditEntryItem> Entries, long? Next);

/// <summary>One entry.</summary>
/// <param name="Account">Null: nobody was identified, or the control plane itself.</param>
/// <param name="Caller">Kind of caller: local_operator, user, api_key, enrolment_token, device, system, anonymous.</param>
/// <param name="Actor">Device id or id of the key; null: neither.</param>
/// <param name="Subject">Id of what it was done to; null: the caller itself.</param>
/// <param name="Hash">SHA-256 of the chain up to here, hex; null: not sealed yet (about a second).</param>
public sealed record AuditEntryItem(long Id, DateTimeOffset At, Guid? Account, string Caller, string? Actor, string Action, string? Subject, IReadOnlyDictionary<string, string> Details, string? Hash)
{
    internal static AuditEntryItem Of(SealedAuditEntry stored)
    {
        var entry = stored.Entry;
        using var details = JsonDocument.Parse(entry.Details);
        var facts = details.RootElement.EnumerateObject().ToDictionary(d => d.Name, d => d.Value.ToString(), StringComparer.Ordinal);
        return new AuditEntryItem(
            entry.Id, entry.At, entry.Account, entry.Caller, entry.Actor, entry.Action, entry.Subject, facts, stored.Hash is null ? null : Convert.ToHexStringLower(stored.Hash));
    }
}

/// <summary>What both readings of the log are asked by.</summary>
internal interface IAuditPeriod
{
    Guid? Account { get; }
    string? Action { get; }
    DateTimeOffset? From { get; }
    DateTimeOffset? To { get; }

    AuditFilter Filter => new(Account, Action, From, To);
}

internal abstract class AuditPeriodValidator<T> : AbstractValidator<T> where T : IAuditPeriod
{
    protected AuditPeriodValidator()
    {
        RuleFor(q => q.Action).Length(1, AuditEntry.LongestAction).Matches("^[a-z0-9_.]*$").WithMessage($"action must be 1–{AuditEntry.LongestAction} of a–z, 0–9, '_' and '.'.");
        RuleFor(q => q.From).LessThan(q => q.To).When(q => q.From is not null && q.To is not null).WithMessage("from must be before to.");
    }
}

internal sealed class ListAuditEntriesValidator : AuditPeriodValidator<ListAuditEntriesQuery>
{
    public ListAuditEntriesValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000).WithMessage("limit must be between 1 and 1000.");
        RuleFor(q => q.Cursor).GreaterThan(0).WithMessage("cursor must be the 'next' of an earlier page.");
    }
}

internal sealed class ListAuditEntriesHandler(IAuditBook book) : IQueryHandler<ListAuditEntriesQuery, AuditEntries>
{
    public async Task<AuditEntries> Handle(ListAuditEntriesQuery request, CancellationToken cancellationToken)
    {
        var found = await book.NewestAsync(((IAuditPeriod)request).Filter, request.Cursor, request.Limit + 1, cancellationToken);
        var page = found.Take(request.Limit).Select(AuditEntryItem.Of).ToList();
        return new AuditEntries(page, found.Count > request.Limit ? page[^1].Id : null);
    }
}
