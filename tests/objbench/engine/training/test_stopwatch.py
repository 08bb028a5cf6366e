"""The stopwatch counts what lies between start and pause, and nothing else."""

from __future__ import annotations

import torch

from objbench.engine.training import stopwatch as clock
from objbench.engine.training.stopwatch import Stopwatch


def test_only_running_time_counts(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    watch = Stopwatch(torch.device("cpu"), seconds=7.0)
    now[0] += 50
    assert watch.read() == 7.0 and not watch.running
    watch.start()
    watch.start()
    now[0] += 2
    assert watch.read() == 9.0 and watch.running
    assert watch.pause() == 9.0
    now[0] += 50
    assert watch.pause() == watch.read() == 9.0
    watch.start()
    now[0] += 1
    assert watch.read() == 10.0


def test_a_gpu_is_waited_for_only_when_the_watch_is_looked_at(monkeypatch):
    waits = []
    monkeypatch.setattr(clock.torch.cuda, "synchronize", waits.append)
    watch = Stopwatch(torch.device("cuda"))
    watch.read()
    assert not waits
    watch.start()
    watch.read()
    watch.pause()
    assert len(waits) == 3
