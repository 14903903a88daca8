using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// A seccomp filter (classic BPF, see seccomp(2)) on top of the namespaces. It refuses what batch work does not need and what would get around
/// our limits: <c>fallocate</c> (fills a disk faster than any watcher looks), <c>io_uring</c> (does the same unseen), new user namespaces,
/// mounts, kernel keyrings, and the kernel's instrumentation. Refused calls fail with an error number, programs then fall back or report it.
/// </summary>
internal static class SystemCallFilter
{
    private const uint Allow = 0x7fff0000;
    private const uint Refuse = 0x00050000;
    private const uint NotPermitted = 1, NotImplemented = 38, NotSupported = 95;
    private const uint NewUserNamespace = 0x10000000;
    private const ushort Load = 0x20, JumpEqual = 0x15, JumpAtLeast = 0x35, JumpBits = 0x45, Return = 0x06;
    private const uint OffsetNumber = 0, OffsetArchitecture = 4, OffsetFirstArgument = 16, OffsetFourthArgument = 40;

    // What unshare --mount-proc calls: MS_REC | MS_PRIVATE, then MS_NOSUID | MS_NODEV | MS_NOEXEC.
    private const uint MakePrivate = 0x44000, MountProc = 0xe;

    // Same numbers on every architecture since Linux 5.1.
    private static readonly uint[] _newCalls = [425, 426, 427, 428, 429, 430, 431, 432, 442];

    private static readonly uint[] _x64 = [155, 165, 166, 175, 176, 246, 248, 249, 250, 298, 304, 308, 313, 320, 321, 323];
    private static readonly uint[] _arm64 = [39, 40, 41, 104, 105, 106, 217, 218, 219, 241, 265, 268, 273, 280, 282, 294];

    /// <summary>The program as an array of <c>struct sock_filter</c>; null on an architecture whose numbers we do not list.</summary>
    /// <param name="procMounts">
    /// Lets through the two forms of <c>mount</c> that give a new pid namespace its <c>/proc</c>, for a launcher whose commands inherit its filter. A payload that calls
    /// them is refused by the kernel, for want of the capability.
    /// </param>
    public static byte[]? Build(bool procMounts) => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => Build(0xC000003E, _x64, procMounts ? 165u : null, fallocate: 285, clone: 56, unshare: 272, secondAbi: 0x40000000),
        Architecture.Arm64 => Build(0xC00000B7, _arm64, procMounts ? 40u : null, fallocate: 47, clone: 220, unshare: 97, secondAbi: null),
        _ => null,
    };

    private static byte[] Build(uint architecture, uint[] refused, uint? procMount, uint fallocate, uint clone, uint unshare, uint? secondAbi)
    {
        const uint clone3 = 435;
        var program = new List<(ushort Code, byte True, byte False, uint K)>
        {
            // A program of another architecture would use other numbers and slip through.
            (Load, 0, 0, OffsetArchitecture), (JumpEqual, 1, 0, architecture), (Return, 0, 0, Refuse | NotImplemented),
            (Load, 0, 0, OffsetNumber),
        };
        if (secondAbi is { } bit)
            program.AddRange([(JumpAtLeast, 0, 1, bit), (Return, 0, 0, Refuse | NotImplemented)]);
        if (procMount is { } mount)
            program.AddRange(
            [
                (JumpEqual, 0, 7, mount),
                (Load, 0, 0, OffsetFourthArgument + 4), (JumpEqual, 0, 3, 0),
                (Load, 0, 0, OffsetFourthArgument), (JumpEqual, 2, 0, MakePrivate), (JumpEqual, 1, 0, MountProc),
                (Return, 0, 0, Refuse | NotPermitted), (Return, 0, 0, Allow),
            ]);
        foreach (var number in refused.Concat(_newCalls))
            program.AddRange([(JumpEqual, 0, 1, number), (Return, 0, 0, Refuse | NotPermitted)]);
        program.AddRange(
        [
            (JumpEqual, 0, 1, fallocate), (Return, 0, 0, Refuse | NotSupported),
            // clone3 hides its flags behind a pointer; without it libraries use clone, whose flags we can see.
            (JumpEqual, 0, 1, clone3), (Return, 0, 0, Refuse | NotImplemented),
            (JumpEqual, 1, 0, clone), (JumpEqual, 0, 3, unshare),
            (Load, 0, 0, OffsetFirstArgument), (JumpBits, 0, 1, NewUserNamespace), (Return, 0, 0, Refuse | NotPermitted),
            (Return, 0, 0, Allow),
        ]);

        var bytes = new byte[program.Count * 8];
        foreach (var (index, (code, onTrue, onFalse, k)) in program.Index())
        {
            var at = bytes.AsSpan(index * 8);
            BinaryPrimitives.WriteUInt16LittleEndian(at, code);
            at[2] = onTrue;
            at[3] = onFalse;
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], k);
        }
        return bytes;
    }
}
