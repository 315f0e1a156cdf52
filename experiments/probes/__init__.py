"""Probes: the frozen contract that scores a run, the score of one raw output, the class of a miss, and trivial baselines."""
