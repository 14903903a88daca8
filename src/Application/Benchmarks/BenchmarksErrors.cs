using FogCompute.Domain.Common;

namespace FogCompute.Application.Benchmarks;

public static class BenchmarksErrors
{
    public static readonly FogError AlreadyRunning = new("benchmarks.already_running", ErrorKind.Conflict, "A benchmark runs already; two at once would measure each other. Stop it or wait for its end.");
    public static readonly FogError NotFound = new("benchmarks.not_found", ErrorKind.NotFound, "There is no such benchmark.");
    public static readonly FogError NotRunning = new("benchmarks.not_running", ErrorKind.Conflict, "That benchmark does not run any more.");
    public static readonly FogError NoneRunning = new("benchmarks.none_running", ErrorKind.Conflict, "No benchmark runs just now.");
    public static readonly FogError NothingToCompare = new("benchmarks.nothing_to_compare", ErrorKind.NotFound, "A comparison needs two benchmarks of one type that have ended. Name them, or run some first.");
    public static readonly FogError StillRunning = new("benchmarks.still_running", ErrorKind.Conflict, "That benchmark still runs; its figures are not final.");
    public static readonly FogError DifferentTypes = new("benchmarks.different_types", ErrorKind.Invalid, "Only benchmarks of the same type can be compared.");
}
