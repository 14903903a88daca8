namespace FogCompute.WebSocket;

/// <param name="Cpu">Percent of one processor.</param>
/// <param name="KiloBytes">Resident memory that each connection added, without a collection forced: what is waiting to be collected counts.</param>
internal sealed record Row(string Server, int Size, Delivery Delivery, double Cpu, double KiloBytes);
