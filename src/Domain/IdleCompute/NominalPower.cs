namespace FogCompute.Domain.IdleCompute;

/// <summary>
/// Watts above idle that one busy core draws, by kind of device. Nominal, not measured: package power under full load less idle, divided by
/// cores, rounded, as typical for the class (desktop processors of 65–105 W with 6–8 cores, laptops of 15–28 W with 4–6, phones and tablets of
/// 3–5 W with big cores in the minority, single-board computers of 5–8 W with 4). They rank devices; they are no bill.
/// </summary>
public static class NominalPower
{
    public static double WattsPerCore(DeviceType type) => type switch
    {
        DeviceType.Desktop => 10,
        DeviceType.Laptop => 5,
        DeviceType.Edge => 1.5,
        DeviceType.Tablet => 1.2,
        DeviceType.Android or DeviceType.Ios => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "An unknown kind of device."),
    };
}
