"""The tuner keeps to the fastest number of threads, and notices when that changes."""

from elastic_infogan.training.threads import ThreadTuner


def simulate(tuner, used, cost, seconds):
    """Steps of `cost[threads]` seconds each for a while; gives the time spent with each number."""
    spent = dict.fromkeys(cost, 0.0)
    while sum(spent.values()) < seconds:
        threads = used[-1]
        spent[threads] += cost[threads]
        tuner.record(cost[threads])
    return spent


def test_the_fastest_is_used_nearly_all_of_the_time():
    for cost in ({2: 0.1, 1: 0.16}, {2: 0.9, 1: 0.16}, {8: 0.05, 4: 0.04, 1: 0.3}):
        used = []
        spent = simulate(ThreadTuner(list(cost), used.append), used, cost, 300)
        best = min(cost, key=cost.get)
        assert spent[best] > 0.9 * 300
        assert all(spent[threads] > 0 for threads in cost)


def test_a_core_that_is_taken_away_is_noticed():
    used = []
    tuner = ThreadTuner([2, 1], used.append)
    simulate(tuner, used, {2: 0.1, 1: 0.16}, 60)
    assert used[-1] == 2
    simulate(tuner, used, {2: 0.9, 1: 0.16}, 60)
    assert used[-1] == 1


def test_a_single_choice_is_left_alone():
    used = []
    tuner = ThreadTuner([1], used.append)
    for _ in range(20):
        tuner.record(0.1)
    assert used == [1]
