using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity.Events;

/// <summary>A new account; the faucet greets it.</summary>
public sealed record AccountOpened(AccountId Account, string Address, DateTimeOffset At) : IDomainEvent;
