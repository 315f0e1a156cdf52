"""Who does the rungs of a selection: a few workers at a time, each with its share of the engine's threads.

These models are small. Two of them on one thread each train a fifth faster than one on two, and while one is drawn, probed or published, which
is Python's work and one core's, the other trains. Results have the same bits, because they depend on no number of threads. Workers are threads of one
process: the engine computes without Python's lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from cengine import loader
from cengine.engine import Pool
from experiments.run import Options

JOBS = 2  # rungs at a time where nobody says how many
SWITCH = 0.0005  # seconds that a worker waits for Python's lock while another computes in Python: a step of training asks for it several times


class Crew:
    """Workers for `count` rungs. One job is done by whoever asks, on all threads."""

    def __init__(self, options: Options, jobs: int, count: int) -> None:
        self.given, self.count = options, count
        self.threads = loader.thread_count(options.threads)
        self.jobs = max(1, min(jobs or JOBS, self.threads, count))
        self.local = threading.local()
        self.pools: list[Pool] = []

    def options(self) -> Options:
        """The options for the worker that asks: with threads of its own, which become more when others have nothing left to do."""
        if self.jobs == 1:
            return self.given
        share = self.threads // self.jobs
        if not hasattr(self.local, "pool"):
            self.local.pool = Pool(share)
            self.pools.append(self.local.pool)
        return replace(self.given, threads=share, pool=self.local.pool)

    def each(
        self, take: Callable[[int], dict[str, Any]], halt: threading.Event
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """What `take` makes of every number, as it comes; begun in order. Interrupted, no more are begun, and what goes on is told by `halt` to
        end, and waited for."""
        if self.jobs == 1:
            yield from ((number, take(number)) for number in range(self.count))
            return
        patience = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        with ThreadPoolExecutor(self.jobs, "rung") as workers:
            futures = {workers.submit(take, number): number for number in range(self.count)}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    self._share(self.count - done)
                    yield futures[future], future.result()
            except BaseException:
                halt.set()
                workers.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                sys.setswitchinterval(patience)

    def _share(self, left: int) -> None:
        """Where fewer rungs are left than there are workers, those that go on have all threads."""
        if 0 < left < self.jobs:
            for pool in self.pools:
                pool.resize(self.threads // left)
