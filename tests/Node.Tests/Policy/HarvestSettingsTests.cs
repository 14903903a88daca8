using FogCompute.Node.Policy;

namespace FogCompute.Node.Tests.Policy;

[TestFixture]
public sealed class HarvestSettingsTests
{
    [Test]
    public void Absent_keys_keep_the_presets_value()
    {
        var settings = HarvestSettings.Parse("""{"preset": "dedicated", "max_cpu": 0.25, "max_daily_transfer_mb": 10}""");
        Assert.That((settings.MaxCpu, settings.StopTemperature, settings.MaxDailyTransfer), Is.EqualTo((0.25, 95.0, 10L << 20)));
    }

    [Test]
    public void Without_policy_the_owner_preset_holds() => Assert.That(HarvestSettings.Load(null), Is.SameAs(HarvestSettings.Owner));

    public static IEnumerable<string> KnobNames() => HarvestSettings.Knobs.Select(k => k.Name);

    [TestCaseSource(nameof(KnobNames))]
    public void Every_number_is_refused_outside_its_range_with_key_value_and_range(string name)
    {
        var knob = HarvestSettings.Knobs.Single(k => k.Name == name);
        foreach (var wrong in new[] { knob.Min - 1, knob.Max + 1 })
        {
            var error = Assert.Throws<PolicyException>(() => HarvestSettings.Parse($$"""{"{{name}}": {{wrong}}}"""));
            Assert.That(error!.Message, Does.Contain(name).And.Contain(wrong.ToString()).And.Contain(knob.Min.ToString()).And.Contain(knob.Max.ToString()));
        }
        Assert.Throws<PolicyException>(() => HarvestSettings.Parse($$"""{"{{name}}": "many"}"""));
    }

    [TestCase("""{"max_cpus": 1}""", "max_cpus is not a key")]
    [TestCase("""{"preset": "mine"}""", "owner, dedicated")]
    [TestCase("""{"allow_battery": "yes"}""", "true, false")]
    [TestCase("""{"allowed_networks": ["5g"]}""", "ethernet, wifi, metered")]
    [TestCase("""{"time_zone": "Mars/Olympus"}""", "time_zone")]
    [TestCase("""{"hours": [{"days": ["monday"], "from": "1:00", "to": "2:00"}]}""", "hours")]
    [TestCase("""{"start_temperature": 80}""", "throttle_temperature")]
    [TestCase("""[]""", "JSON object")]
    [TestCase("""{""", "not valid JSON")]
    public void Refuses_mistakes_with_a_message_that_helps(string json, string part) =>
        Assert.That(Assert.Throws<PolicyException>(() => HarvestSettings.Parse(json))!.Message, Does.Contain(part));

    [Test]
    public void Names_all_mistakes_at_once()
    {
        var error = Assert.Throws<PolicyException>(() => HarvestSettings.Parse("""{"max_cpu": 2, "nope": 1, "rest_minutes": 0}"""));
        Assert.That(error!.Message, Does.Contain("max_cpu").And.Contain("nope").And.Contain("rest_minutes"));
    }

    [Test]
    public void A_name_that_is_neither_preset_nor_file_is_refused() =>
        Assert.That(Assert.Throws<PolicyException>(() => HarvestSettings.Load("/nowhere/policy.json"))!.Message, Does.Contain("owner, dedicated"));
}
