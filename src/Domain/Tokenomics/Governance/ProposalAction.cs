using System.Text;
using System.Text.Json;

namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>What a proposal would do. Each kind has one canonical text; that text is what is shown, hashed, stored and run.</summary>
public abstract record ProposalAction
{
    private ProposalAction()
    {
    }

    public const string SetParameterType = "set_parameter";
    public const string TreasuryTransferType = "treasury_transfer";
    public const string DecideSlashType = "decide_slash";

    /// <param name="Value">In the parameter's unit.</param>
    public sealed record SetParameter(string Name, long Value) : ProposalAction;

    /// <param name="To">Ledger address.</param>
    public sealed record TreasuryTransfer(string To, long AmountMicro) : ProposalAction;

    public sealed record DecideSlash(Guid Slash, bool Uphold) : ProposalAction;

    /// <summary>
    /// A JSON list of the actions (none: a resolution; at most one today): fixed order of members, no blanks, ASCII. Amounts are integers of
    /// micro-credits.
    /// </summary>
    public static string Canonical(ProposalAction? action)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartArray();
            switch (action)
            {
                case SetParameter set:
                    Begin(json, SetParameterType);
                    json.WriteString("name", set.Name);
                    json.WriteNumber("value", set.Value);
                    json.WriteEndObject();
                    break;
                case TreasuryTransfer transfer:
                    Begin(json, TreasuryTransferType);
                    json.WriteString("to", transfer.To);
                    json.WriteNumber("amount_micro", transfer.AmountMicro);
                    json.WriteEndObject();
                    break;
                case DecideSlash decide:
                    Begin(json, DecideSlashType);
                    json.WriteString("slash_id", decide.Slash.ToString("D"));
                    json.WriteBoolean("uphold", decide.Uphold);
                    json.WriteEndObject();
                    break;
            }
            json.WriteEndArray();
        }
        return Encoding.ASCII.GetString(text.ToArray());
    }

    /// <summary>The action that a canonical text says; null: none.</summary>
    /// <exception cref="FormatException">The text is not canonical: writing what it says makes another text.</exception>
    public static ProposalAction? Parse(string payload)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            var action = document.RootElement.GetArrayLength() == 0 ? null : Read(document.RootElement[0]);
            return Canonical(action) == payload ? action : throw new FormatException("The payload is not in its canonical form.");
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException("The payload is no list of actions.", broken);
        }
    }

    private static ProposalAction Read(JsonElement action) => action.GetProperty("type").GetString() switch
    {
        SetParameterType => new SetParameter(action.GetProperty("name").GetString()!, action.GetProperty("value").GetInt64()),
        TreasuryTransferType => new TreasuryTransfer(action.GetProperty("to").GetString()!, action.GetProperty("amount_micro").GetInt64()),
        DecideSlashType => new DecideSlash(action.GetProperty("slash_id").GetGuid(), action.GetProperty("uphold").GetBoolean()),
        var other => throw new FormatException($"'{other}' is no kind of action."),
    };

    private static void Begin(Utf8JsonWriter json, string type)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
    }
}
