"""The Triton kernels against the portable ones, by Triton's interpreter on the CPU.

In a process of its own: the interpreter has to be asked for before triton is first imported.
"""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from objbench.blocks import sampled_contrast as contrastive

CHILD = """
import torch
from objbench.blocks import triton_kernels as triton_dots
from objbench.blocks.sampled_contrast import _gathered_dots, _gathered_sum

# Anchors, pool, candidates, width: single blocks, several, and none that divides.
for count, rows, each, width in [(3, 5, 2, 8), (4, 70, 51, 256), (5, 9, 33, 130), (2, 3, 1, 1)]:
    draw = torch.Generator().manual_seed(count)
    anchors, pool = (torch.randn(n, width, generator=draw) for n in (count, rows))
    # Not contiguous, as slices may be.
    candidates = torch.randint(rows, (count, 2 * each), generator=draw)[:, ::2]
    weights = torch.randn(count, each, generator=draw)
    close = dict(rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        triton_dots.gathered_dots(anchors, pool, candidates),
        _gathered_dots(anchors, pool, candidates), **close)
    torch.testing.assert_close(
        triton_dots.gathered_sum(pool, candidates, weights),
        _gathered_sum(pool, candidates, weights), **close)
print("level")
"""


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="triton is not installed: it comes with torch for CUDA",
)
def test_interpreted_kernels_give_the_portable_numbers():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    assert child.stdout.strip() == "level"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernels_on_a_gpu_give_the_cpus_numbers():
    draw = torch.Generator().manual_seed(0)
    anchors, pool = torch.randn(300, 256, generator=draw), torch.randn(900, 256, generator=draw)
    candidates = torch.randint(900, (300, 51), generator=draw)
    found = []
    for device in ("cpu", "cuda"):
        leaf = anchors.to(device).requires_grad_()
        dots = contrastive.gathered_dots(leaf, pool.to(device), candidates.to(device))
        dots.square().sum().backward()
        found.append([dots.detach().cpu(), leaf.grad.cpu()])
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-3)


def test_a_cpu_tensor_never_asks_for_triton(monkeypatch):
    monkeypatch.setattr(contrastive, "_has_triton", lambda: True)
    monkeypatch.setitem(sys.modules, "objbench.blocks.triton_kernels", None)  # an import would fail
    dots = contrastive.gathered_dots(torch.ones(2, 4), torch.ones(3, 4), torch.zeros(2, 2).long())
    assert torch.equal(dots, torch.full((2, 2), 4.0))
