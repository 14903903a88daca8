using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>The control plane of all fixtures in this namespace. Each test brings its own devices and asks for them by their label.</summary>
[SetUpFixture]
internal sealed class SharedPool
{
    /// <summary>FOG_DEVICE_SILENCE_SECONDS here; the product's default is 90. So long that a busy machine does not make devices look lost.</summary>
    public const int SilenceSeconds = 12;

    private static Pool? _pool;

    public static Pool Pool => _pool ?? throw new InvalidOperationException("The shared pool is not open.");

    [OneTimeSetUp]
    public async Task Open() => _pool = await Pool.OpenAsync(SilenceSeconds, replicas: Pool.Replicas);

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
        _pool = null;
    }
}

/// <summary>A fixture on the shared pool.</summary>
internal abstract class SharedPoolScenario : Scenario
{
    protected override Pool Pool => SharedPool.Pool;

    protected static ConstraintsOf Only(string label) => new([label]);
}
