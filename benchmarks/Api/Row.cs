namespace FogCompute.ApiSpeed;

/// <param name="Status">Of the first request, which also says how long the body is.</param>
/// <param name="ServerMicros">Processor time of the control plane, of PostgreSQL and of the floor's process by request.</param>
internal sealed record Row(string Name, string Title, int? Aim, int Status, int Bytes, LoadResult? Load, LoadResult? Floor, double ServerMicros, double PostgresMicros, double FloorMicros)
{
    public bool Passes => Load is { Refused: 0, P99Ms: < 100 } load && (Aim is not { } aim || load.PerSecond >= aim);
}
