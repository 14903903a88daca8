// Each fixture has a database of its own, and most of a test's time goes by waiting for one: fixtures run side by side.
[assembly: Parallelizable(ParallelScope.Fixtures)]
[assembly: LevelOfParallelism(4)]
