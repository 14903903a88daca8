using System.Runtime.ExceptionServices;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Repairs and evaluates rows of a population, on the caller's thread or shared with pool threads. The rows are cut into chunks that whoever
/// is free takes next; the caller takes part, so a starved thread pool slows the work but never blocks it. Results do not depend on who
/// evaluates what, and nothing is allocated per batch.
/// </summary>
internal sealed class BatchEvaluator<TGene>(IEvolutionProblem<TGene> problem, TGene[] genes, double[] objectives, double[] violations, int threads)
    : IThreadPoolWorkItem, IDisposable
    where TGene : unmanaged
{
    private const int ChunksPerThread = 4;

    private readonly int _variableCount = problem.VariableCount;
    private readonly int _objectiveCount = problem.ObjectiveCount;
    private readonly CountdownEvent? _pending = threads > 1 ? new CountdownEvent(1) : null;
    private int _firstRow;
    private int _rowCount;
    private int _chunkRows;
    private int _chunkCount;
    private int _nextChunk = int.MaxValue / 2;
    private Exception? _failure;

    /// <exception cref="InvalidOperationException">The problem gave an objective that is not finite, or a violation that is not a number.</exception>
    public void Evaluate(int firstRow, int rowCount)
    {
        if (_pending is null)
            EvaluateRows(firstRow, rowCount);
        else
            EvaluateShared(_pending, firstRow, rowCount);
        RequireNumbers(firstRow, rowCount);
    }

    public void Dispose() => _pending?.Dispose();

    /// <summary>A pool thread's share. One that starts late finds no chunk left, or helps with the next batch: both are right.</summary>
    void IThreadPoolWorkItem.Execute() => TakeChunks();

    private void EvaluateShared(CountdownEvent pending, int firstRow, int rowCount)
    {
        (_firstRow, _rowCount) = (firstRow, rowCount);
        _chunkRows = Math.Max(1, rowCount / (threads * ChunksPerThread));
        _chunkCount = (rowCount + _chunkRows - 1) / _chunkRows;
        _failure = null;
        pending.Reset(_chunkCount);
        Volatile.Write(ref _nextChunk, 0);
        for (var helper = 1; helper < threads; helper++)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        TakeChunks();
        pending.Wait();
        if (_failure is not null)
            ExceptionDispatchInfo.Throw(_failure);
    }

    private void TakeChunks()
    {
        while (true)
        {
            var chunk = Interlocked.Increment(ref _nextChunk) - 1;
            if (chunk >= _chunkCount)
                return;
            try
            {
                var from = chunk * _chunkRows;
                EvaluateRows(_firstRow + from, Math.Min(_chunkRows, _rowCount - from));
            }
            catch (Exception failure)
            {
                // Thrown again on the caller's thread.
                Interlocked.CompareExchange(ref _failure, failure, null);
            }
            finally
            {
                _pending!.Signal();
            }
        }
    }

    private void EvaluateRows(int firstRow, int rowCount)
    {
        var vectors = genes.AsSpan(firstRow * _variableCount, rowCount * _variableCount);
        var broken = violations.AsSpan(firstRow, rowCount);
        broken.Clear();
        problem.RepairAndEvaluate(vectors, objectives.AsSpan(firstRow * _objectiveCount, rowCount * _objectiveCount), broken);
    }

    private void RequireNumbers(int firstRow, int rowCount)
    {
        foreach (var value in objectives.AsSpan(firstRow * _objectiveCount, rowCount * _objectiveCount))
        {
            if (!double.IsFinite(value))
                throw new InvalidOperationException($"{problem.GetType().Name} gave {value} as an objective, which has no place in a front: have it give a large number, or a constraint violation.");
        }
        foreach (var value in violations.AsSpan(firstRow, rowCount))
        {
            if (double.IsNaN(value))
                throw new InvalidOperationException($"{problem.GetType().Name} gave NaN as a constraint violation, which cannot be compared: have it give infinity instead.");
        }
    }
}
