namespace FogCompute.Cli.Tests;

/// <summary>A control plane that knows one staker, one slash, two proposals and one parameter.</summary>
internal abstract class DaoFixture : CliFixture
{
    protected const string Root = "/api/tokenomics/";
    protected const string Me = "fog1aaaaaaaa";
    protected const string Other = "fog1bbbbbbbb";
    protected const string First = "3f9a2c1e00000000000000000000000000000000000000000000000000000001";
    protected const string Second = "3f9a2c1f00000000000000000000000000000000000000000000000000000002";
    protected const string Slash = "0198c7a2-5d5e-7c1e-9d0a-00000000c001";

    protected const string Active = $$$"""
        {"id":"{{{First}}}","title":"Cheaper cores for small jobs","description":"Line one.\nLine two.","proposer":"{{{Me}}}","status":"active",
         "votesFor":3.000001,"votesAgainst":1,"votesAbstain":0.5,"createdAt":"2199-01-01T00:00:00Z","snapshotAt":"2199-01-02T00:00:00Z","votingEndsAt":"2199-01-09T00:00:00Z",
         "quorum":10,"quorumReached":false,"approval":0.6,"action":{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000},"eta":null,"reason":null
        """;

    protected const string Parameter = """
        {"name":"pricing.core_hour_micro","unit":"micro_credits","value":90000,"default":100000,"min":1,"max":100000000,"meaning":"Price of one core for one hour at the bronze tier.",
         "changedAt":"2199-01-01T00:00:00Z","proposal":null
        """;

    protected const string SlashItem = $$"""
        {"id":"{{Slash}}","address":"{{Me}}","reason":"wrong_result","amount":2.5,"state":"escrowed","jobId":"{{JobId}}","taskIndex":3,"deviceId":"ada","attemptId":"a-1","harmed":"{{Other}}",
         "createdAt":"2199-01-01T00:00:00Z","appealUntil":"2199-01-04T00:00:00Z","appeal":null,"decision":null,"decidedAt":null}
        """;

    protected const string Rehearsal = """
        {"parameter":"pricing.core_hour_micro","currentValue":90000,"proposedValue":80000,"at":"2199-01-01T00:00:00Z","days":7,"recorded":2.5,
         "before":{"charged":2.5,"fees":0.05},"after":{"charged":2,"fees":0.04},
         "tiers":[{"tier":"gold","tasks":3,"priceBefore":0.5,"priceAfter":0.4,"priceChangePercent":-20,"chargedBefore":2.5,"chargedAfter":2}],
         "devices":[{"deviceId":"ada","before":2,"after":2},{"deviceId":"bob","before":0,"after":0.000001}],
         "waiting":{"tasks":3,"before":{"meanWaitSeconds":1.5,"audits":2},"after":{"meanWaitSeconds":3,"audits":2} },
         "noWaiting":null,"assumptions":["Owners and requesters act as they did.","Runs take as long."]}
        """;

    protected void GiveAnswers() => Plane
        .On("POST", Root + "stake", $$"""{"success":true,"address":"{{Me}}","stakedAmount":12.5,"totalStaked":20,"lockedUntil":"2199-01-08T00:00:00Z"}""")
        .On("POST", Root + "unstake", $$"""{"success":true,"address":"{{Me}}","unstakedAmount":1.000001,"totalStaked":18.999999,"availableAt":"2199-01-15T00:00:00Z"}""")
        .On("POST", Root + "claim", $$"""{"success":true,"address":"{{Me}}","claimedAmount":3,"balance":83}""")
        .On("GET", Root + "stakes", $$"""
            {"address":"{{Me}}","staked":20,"unlocked":5,"lots":[{"amount":15,"stakedAt":"2199-01-01T00:00:00Z","lockedUntil":"2199-01-08T00:00:00Z"},
              {"amount":5,"stakedAt":"2020-01-01T00:00:00Z","lockedUntil":"2020-01-08T00:00:00Z"}],
             "unbonding":[{"id":"u1","amount":3,"startedAt":"2020-01-01T00:00:00Z","availableAt":"2020-01-15T00:00:00Z","claimable":true},
              {"id":"u2","amount":4,"startedAt":"2199-01-01T00:00:00Z","availableAt":"2199-01-15T00:00:00Z","claimable":false}],
             "voteLock":{"amount":15,"until":"2199-01-09T00:00:00Z","why":"You voted on 'Cheaper cores'."} }
            """)
        .On("GET", Root + "rewards", $$"""{"address":"{{Me}}","pendingRewards":0.001234,"rewardsRate":0.05,"paidRewards":0.5,"accruedTo":"2199-01-01T00:00:00Z","poolBalance":600000}""")
        .On("GET", Root + "slashes", $$"""{"slashes":[{{SlashItem}}],"total":1}""")
        .On("POST", Root + $"slashes/{Slash}/appeal", SlashItem.Replace("\"escrowed\"", "\"appealed\"").Replace("\"appeal\":null", "\"appeal\":\"The memory was faulty.\""))
        .On("POST", Root + $"slashes/{Slash}/decision", SlashItem.Replace("\"escrowed\"", "\"reversed\"").Replace("\"decision\":null,\"decidedAt\":null", "\"decision\":\"Faulty memory.\",\"decidedAt\":\"2199-01-03T00:00:00Z\""))
        .On("GET", Root + "proposals", $$"""
            {"proposals":[{{Active}}},{"id":"{{Second}}","title":"Thank everybody who lends","proposer":"{{Other}}","status":"pending","votesFor":0,"votesAgainst":0,"votesAbstain":0,
              "createdAt":"2199-01-01T00:00:00Z","snapshotAt":"2199-01-02T00:00:00Z","votingEndsAt":null,"quorum":null,"quorumReached":false,"approval":null,"action":null,"eta":null,"reason":null}],
             "total":7,"next":null}
            """)
        .On("GET", Root + "proposals/" + First, $$"""
            {{Active}},"actionsHash":"abc123","payload":"[{\"type\":\"set_parameter\",\"name\":\"pricing.core_hour_micro\",\"value\":80000}]","ballots":2,
             "rehearsal":{{Rehearsal}},"history":[{"at":"2199-01-01T00:00:00Z","state":"pending","why":"proposed"},{"at":"2199-01-02T00:00:00Z","state":"active","why":null}]}
            """)
        .On("GET", Root + $"proposals/{First}/ballots", $$"""{"ballots":[{"voter":"{{Me}}","vote":"for","power":3.000001,"reason":"dear enough","at":"2199-01-02T01:00:00Z"}],"next":"2"}""")
        .On("GET", Root + $"proposals/{First}/ballots", $$"""{"ballots":[{"voter":"{{Other}}","vote":"against","power":1,"reason":null,"at":"2199-01-02T02:00:00Z"}],"next":null}""")
        .On("POST", Root + $"proposals/{First}/cancel", Active.Replace("\"active\"", "\"cancelled\"").Replace("\"reason\":null", "\"reason\":\"Cancelled: superseded.\"") + "}")
        .On("POST", Root + $"proposals/{First}/rehearsal", Rehearsal)
        .On("POST", Root + "proposals", $$"""{"success":true,"proposalId":"{{First}}"}""", 201)
        .On("POST", Root + "vote", $$"""{"success":true,"proposalId":"{{First}}","vote":"for","power":20}""")
        .On("POST", Root + "delegate", $$"""{"success":true,"address":"{{Me}}","delegate":"{{Other}}"}""")
        .On("GET", Root + "delegation", $$"""{"address":"{{Me}}","delegate":null,"delegators":[{"address":"{{Other}}","staked":7}],"power":27}""")
        .On("GET", Root + "parameters", $$"""{"version":3,"parameters":[{{Parameter}}},{"name":"features.speculation","unit":"flag","value":1,"default":1,"min":0,"max":1,"meaning":"m","changedAt":null,"proposal":null}]}""")
        .On("GET", Root + "parameters/pricing.core_hour_micro", $$"""
            {{Parameter}},"history":[{"version":3,"previous":100000,"value":90000,"proposal":"{{Second}}","at":"2199-01-01T00:00:00Z"},{"version":1,"previous":100000,"value":100000,"proposal":null,"at":"2198-01-01T00:00:00Z"}]}
            """);

    protected System.Text.Json.Nodes.JsonNode Sent(string path) => Plane.Requests.Single(r => r.Method == "POST" && r.Path == Root + path).Body!;
}
