using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>What a figure of each kind weighs; scaled so that the objectives of a placement can be added up.</summary>
/// <param name="Figures">Per second, micro-credit, joule and unit of risk of one slot.</param>
/// <param name="Imbalance">Per unit of variance.</param>
internal readonly record struct Weights(Vector256<double> Figures, double Imbalance);

/// <summary>
/// One placement under construction or change: who sits where, what is left on each device, and the sums of the objectives. A move costs
/// O(replicas of the task), loading a whole placement O(slots + devices). Allocates nothing after construction. Not thread-safe.
/// </summary>
internal sealed class PlacementState
{
    public const int Objectives = 5;

    private const int Nowhere = -1;

    private readonly PlacementModel _model;
    private readonly long[] _free;
    private readonly double[] _utilisation;
    private readonly double[] _idleUtilisation;
    private readonly int[] _candidate;
    private readonly int[] _device;
    private readonly int[] _deferred;
    private readonly double _idleSum;
    private readonly double _idleSquares;
    private Vector256<double> _figures;
    private double _utilisationSum;
    private double _utilisationSquares;
    private int _deferredCount;

    public PlacementState(PlacementModel model)
    {
        _model = model;
        _free = new long[model.Free.Length];
        _utilisation = new double[model.Devices.Length];
        _idleUtilisation = new double[model.Devices.Length];
        _candidate = new int[model.SlotCount];
        _device = new int[model.SlotCount];
        _deferred = new int[model.SlotCount];
        model.Free.CopyTo(_free, 0);
        (_idleSum, _idleSquares) = (model.RestUtilisation, model.RestSquares);
        for (var device = 0; device < _idleUtilisation.Length; device++)
        {
            var utilisation = _idleUtilisation[device] = UtilisationOf(device, 0, 0);
            _idleSum += utilisation;
            _idleSquares += utilisation * utilisation;
        }
        Clear();
    }

    /// <summary>Per slot the index of its device among its class's candidates; −1: nowhere.</summary>
    public ReadOnlySpan<int> Chosen => _candidate;

    /// <summary>Slots whose owner already holds another replica of the task although its tier prefers distinct owners.</summary>
    public int Repeats { get; private set; }

    /// <summary>Slots of the last <see cref="Load"/> that break a rule where they are and could be moved nowhere.</summary>
    public int Unsettled { get; private set; }

    /// <summary>The device of a slot; −1: nowhere.</summary>
    public int DeviceOf(int slot) => _device[slot];

    /// <summary>Nobody anywhere.</summary>
    public void Clear()
    {
        _model.Free.CopyTo(_free, 0);
        _idleUtilisation.CopyTo(_utilisation, 0);
        _candidate.AsSpan().Fill(Nowhere);
        _device.AsSpan().Fill(Nowhere);
        (_figures, _utilisationSum, _utilisationSquares) = (Vector256<double>.Zero, _idleSum, _idleSquares);
        (Repeats, Unsettled) = (0, 0);
    }

    /// <summary>
    /// Takes over a whole placement and mends it: slots are seated in order, beginning with a task that depends on the genes, and those that find
    /// their device full or forbidden go to the candidate of nearest speed that has room. What fits nowhere stays where it is and is counted in
    /// <see cref="Unsettled"/>. Then replicas of one owner are spread as far as there is room, where the tier prefers that. The result depends on the
    /// genes alone, and a placement without violations keeps to the rules.
    /// </summary>
    /// <param name="genes">Per slot an index into its class's candidates; written where a slot was moved.</param>
    public void Load(Span<int> genes)
    {
        _model.Free.CopyTo(_free, 0);
        _device.AsSpan().Fill(Nowhere);
        (_figures, Repeats, Unsettled, _deferredCount) = (Vector256<double>.Zero, 0, 0, 0);
        var sum = 0u;
        foreach (var gene in genes)
            sum += (uint)gene;
        // Where seating begins decides who is moved off a full device: it must not always be the same slots.
        var first = _model.FirstSlot[_model.SlotTask[(int)((sum * 2654435769u) % (uint)genes.Length)]];
        Seat(genes, first, genes.Length);
        Seat(genes, 0, first);
        foreach (var slot in _deferred.AsSpan(0, _deferredCount))
            Reseat(genes, slot);
        if (_model.HasPreferences)
            SpreadOwners(genes);
        genes.CopyTo(_candidate);
        MeasureUtilisation();
    }

    /// <summary>Moves a slot to another candidate, or off (−1). Looks at no rule.</summary>
    public void Move(int slot, int candidate)
    {
        var task = _model.SlotTask[slot];
        var prefers = _model.Tasks[task].PreferDistinctOwners;
        if (prefers)
            Repeats -= RepeatsOf(task);
        var before = _device[slot];
        if (before >= 0)
        {
            Put(slot, _candidate[slot], -1);
            Remeasure(before);
        }
        _candidate[slot] = candidate;
        if (candidate >= 0)
        {
            Put(slot, candidate, 1);
            Remeasure(_device[slot]);
        }
        if (prefers)
            Repeats += RepeatsOf(task);
    }

    /// <summary>Whether a device has room for one slot of a class more.</summary>
    public bool Fits(int taskClass, int device) =>
        !Vector512.LessThanAny(
            Vector512.LoadUnsafe(ref _free[device * PlacementModel.Lanes]) - Vector512.LoadUnsafe(ref _model.Needs[taskClass * PlacementModel.Lanes]), Vector512<long>.Zero);

    /// <summary>Whether a device would have room for one slot of a class if one of another class left it.</summary>
    public bool FitsInstead(int taskClass, int leaving, int device) =>
        !Vector512.LessThanAny(
            Vector512.LoadUnsafe(ref _free[device * PlacementModel.Lanes]) + Vector512.LoadUnsafe(ref _model.Needs[leaving * PlacementModel.Lanes])
            - Vector512.LoadUnsafe(ref _model.Needs[taskClass * PlacementModel.Lanes]),
            Vector512<long>.Zero);

    /// <summary>Whether the task's other replicas, past or present, forbid it this device.</summary>
    public bool Conflicts(int slot, int device)
    {
        var task = _model.SlotTask[slot];
        if (!_model.Guarded[task])
            return false;
        if (_model.UsedDevices[task].AsSpan().Contains(device))
            return true;
        for (var other = _model.FirstSlot[task]; other < _model.EndSlot[task]; other++)
        {
            if (other != slot && _device[other] == device)
                return true;
        }
        return _model.Tasks[task].RequireDistinctOwners && OwnerHasReplica(slot, device);
    }

    /// <summary>Whether the device's owner holds or held another replica of a task that prefers distinct owners.</summary>
    public bool WouldRepeat(int slot, int device) => _model.Tasks[_model.SlotTask[slot]].PreferDistinctOwners && OwnerHasReplica(slot, device);

    /// <summary>By how much seating an unseated slot on a candidate raises the weighted sum of objectives.</summary>
    public double CostOfSeating(int slot, int candidate, in Weights weights)
    {
        var taskClass = _model.SlotClass[slot];
        var at = _model.ClassStart[taskClass] + candidate;
        var cost = Vector256.Dot(FiguresAt(at), weights.Figures);
        return weights.Imbalance == 0 ? cost : cost + weights.Imbalance * VarianceWith(_model.Candidates[at], taskClass);
    }

    /// <summary>The imbalance if one slot of a class more sat on a device.</summary>
    public double VarianceWith(int device, int taskClass)
    {
        var (before, after) = (_utilisation[device], UtilisationWith(device, taskClass));
        return Variance(_utilisationSum + after - before, _utilisationSquares + after * after - before * before);
    }

    public double UtilisationWith(int device, int taskClass)
    {
        var need = taskClass * PlacementModel.Lanes;
        return UtilisationOf(device, _model.Needs[need + PlacementModel.SlotLane], _model.Needs[need + PlacementModel.CpuLane]);
    }

    /// <summary>
    /// Writes the five objectives, rounded to 40 bits and to 12 decimals where they are shares: the same seats in another order, which sum up to
    /// something else in the last digits, must not pass for another placement.
    /// </summary>
    public void Measure(Span<double> objectives)
    {
        (_figures / _model.SlotCount).CopyTo(objectives);
        for (var m = 0; m < 3; m++)
            objectives[m] = BitConverter.Int64BitsToDouble((BitConverter.DoubleToInt64Bits(objectives[m]) + (1L << 11)) & ~((1L << 12) - 1));
        objectives[3] = Math.Round(objectives[3], 12);
        objectives[4] = Math.Round(Variance(_utilisationSum, _utilisationSquares), 12);
    }

    /// <summary>The weighted sum of objectives, as far as slots are seated.</summary>
    public double Sum(in Weights weights) => Vector256.Dot(_figures, weights.Figures) + weights.Imbalance * Variance(_utilisationSum, _utilisationSquares);

    private Vector256<double> FiguresAt(int at) => Vector256.LoadUnsafe(ref _model.Table[at * PlacementModel.Figures]);

    private double Variance(double sum, double squares)
    {
        var mean = sum / _model.PoolSize;
        return Math.Max(0, squares / _model.PoolSize - mean * mean);
    }

    private double UtilisationOf(int device, long slots, long millicores)
    {
        var free = device * PlacementModel.Lanes;
        return PlacementModel.Utilisation(_free[free + PlacementModel.SlotLane] - slots, _free[free + PlacementModel.CpuLane] - millicores, _model.PerSlot[device], _model.PerMillicore[device]);
    }

    private void Seat(ReadOnlySpan<int> genes, int from, int to)
    {
        for (var slot = from; slot < to; slot++)
        {
            var taskClass = _model.SlotClass[slot];
            var at = _model.ClassStart[taskClass] + genes[slot];
            var device = _model.Candidates[at];
            ref var free = ref _free[device * PlacementModel.Lanes];
            var left = Vector512.LoadUnsafe(ref free) - Vector512.LoadUnsafe(ref _model.Needs[taskClass * PlacementModel.Lanes]);
            if (Vector512.LessThanAny(left, Vector512<long>.Zero)
                || Conflicts(slot, device))
            {
                _deferred[_deferredCount++] = slot;
                continue;
            }
            left.StoreUnsafe(ref free);
            _device[slot] = device;
            _figures += FiguresAt(at);
        }
    }

    private void Reseat(Span<int> genes, int slot)
    {
        var prefers = _model.Tasks[_model.SlotTask[slot]].PreferDistinctOwners;
        var found = Nearest(slot, genes[slot], prefers);
        if (found < 0 && prefers)
            found = Nearest(slot, genes[slot], otherOwner: false);
        if (found < 0)
            Unsettled++;
        else
            genes[slot] = found;
        Put(slot, genes[slot], 1);
    }

    /// <summary>Seats (1) or unseats (−1) without keeping the utilisation.</summary>
    private void Put(int slot, int candidate, int sign)
    {
        var taskClass = _model.SlotClass[slot];
        var at = _model.ClassStart[taskClass] + candidate;
        _device[slot] = sign > 0 ? _model.Candidates[at] : Nowhere;
        ref var free = ref _free[_model.Candidates[at] * PlacementModel.Lanes];
        (Vector512.LoadUnsafe(ref free) - sign * Vector512.LoadUnsafe(ref _model.Needs[taskClass * PlacementModel.Lanes])).StoreUnsafe(ref free);
        _figures += sign * FiguresAt(at);
    }

    /// <summary>The candidate nearest in speed to one that can take the slot; −1: none.</summary>
    private int Nearest(int slot, int from, bool otherOwner)
    {
        var count = _model.CandidateCount(slot);
        for (var distance = 0; distance < count; distance++)
        {
            if (from + distance < count && CanTake(slot, from + distance, otherOwner))
                return from + distance;
            if (from - distance >= 0 && CanTake(slot, from - distance, otherOwner))
                return from - distance;
        }
        return Nowhere;
    }

    private bool CanTake(int slot, int candidate, bool otherOwner)
    {
        var taskClass = _model.SlotClass[slot];
        var device = _model.Candidates[_model.ClassStart[taskClass] + candidate];
        return Fits(taskClass, device) && !Conflicts(slot, device) && !(otherOwner && WouldRepeat(slot, device));
    }

    private bool OwnerHasReplica(int slot, int device)
    {
        var task = _model.SlotTask[slot];
        var owner = _model.Owners[device];
        if (_model.UsedOwners[task].AsSpan().Contains(owner))
            return true;
        for (var other = _model.FirstSlot[task]; other < _model.EndSlot[task]; other++)
        {
            if (other != slot && _device[other] >= 0 && _model.Owners[_device[other]] == owner)
                return true;
        }
        return false;
    }

    private void SpreadOwners(Span<int> genes)
    {
        for (var first = 0; first < genes.Length; first = _model.EndSlot[_model.SlotTask[first]])
        {
            var task = _model.SlotTask[first];
            if (!_model.Tasks[task].PreferDistinctOwners || !_model.Guarded[task])
                continue;
            for (var slot = first; slot < _model.EndSlot[task]; slot++)
            {
                if (!OwnerHasReplica(slot, _device[slot]) || Nearest(slot, genes[slot], otherOwner: true) is not (>= 0 and var found))
                    continue;
                Put(slot, genes[slot], -1);
                genes[slot] = found;
                Put(slot, found, 1);
            }
            Repeats += RepeatsOf(task);
        }
    }

    private int RepeatsOf(int task)
    {
        var repeats = 0;
        for (var slot = _model.FirstSlot[task]; slot < _model.EndSlot[task]; slot++)
        {
            if (_device[slot] < 0)
                continue;
            var owner = _model.Owners[_device[slot]];
            var repeated = _model.UsedOwners[task].AsSpan().Contains(owner);
            for (var earlier = _model.FirstSlot[task]; earlier < slot && !repeated; earlier++)
                repeated = _device[earlier] >= 0 && _model.Owners[_device[earlier]] == owner;
            repeats += repeated ? 1 : 0;
        }
        return repeats;
    }

    /// <summary>Brings the sums up to date with one device.</summary>
    private void Remeasure(int device)
    {
        var (before, after) = (_utilisation[device], UtilisationOf(device, 0, 0));
        _utilisation[device] = after;
        _utilisationSum += after - before;
        _utilisationSquares += after * after - before * before;
    }

    private void MeasureUtilisation()
    {
        (_utilisationSum, _utilisationSquares) = (_model.RestUtilisation, _model.RestSquares);
        for (var device = 0; device < _utilisation.Length; device++)
        {
            var utilisation = _utilisation[device] = UtilisationOf(device, 0, 0);
            _utilisationSum += utilisation;
            _utilisationSquares += utilisation * utilisation;
        }
    }
}
