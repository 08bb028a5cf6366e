"""The second FLOP counter on cases counted by hand, and what the checks say where they cannot look."""

from __future__ import annotations

import faulthandler
import multiprocessing
import sys

import pytest
import torch

from objbench.blocks.masking import mask_tokens
from objbench.blocks.sampled_contrast import gathered_dots, similarity_flops
from objbench.plugins.conformance import agreement, two_processes
from objbench.plugins.conformance.check import Broken, NotChecked, result_of
from objbench.plugins.conformance.checks import CHECKS
from objbench.plugins.conformance.contractions import ContractionCounter

planted = sys.modules["planted"]
N, C, P, D = 6, 4, 10, 8


def counted(work):
    with ContractionCounter() as counter:
        work()
    return counter


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    anchors = torch.randn(N, D, generator=generator).requires_grad_()
    return anchors, torch.randn(P, D, generator=generator), torch.randint(P, (N, C))


def test_a_kernel_in_python_is_looked_into(tensors):
    """The sampled product forward and the weighted bag backward: 4 N C D."""
    counter = counted(lambda: gathered_dots(*tensors).sum().backward())
    assert counter.flops == similarity_flops(N, C, D) == 4 * N * C * D
    assert counter.opaque == set()


@torch.library.custom_op("planted::products", mutates_args=())
def products(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    c = torch.mm(a, b.t())
    c.addmm_(a, b.t())
    c.copy_(torch.bmm(a.unsqueeze(0), b.t().unsqueeze(0))[0])
    return c


def test_matrix_products_inside_a_kernel_are_counted_and_outside_are_not(tensors):
    """Inside torch's own counter sees none of them."""
    a, b = tensors[0].detach(), tensors[1]
    assert counted(lambda: (products(a, b), a @ b.t())).flops == 3 * 2 * N * P * D


def test_a_gather_a_product_and_a_sum_are_the_same_work(tensors):
    anchors, pool, candidates = tensors
    counter = counted(lambda: (anchors.unsqueeze(1) * pool[candidates]).sum(-1).sum().backward())
    assert counter.flops == 4 * N * C * D


@pytest.mark.parametrize(
    ("work", "flops"),
    [
        (lambda a, b: a @ b.T, 0),  # torch's own counter sees it
        (lambda a, b: (a * 3).sum(), 0),  # a factor, no second tensor
        (lambda a, b: a.sum() * b.sum(), 0),
        (lambda a, b: a @ b[0], 2 * N * D),
        (lambda a, b: a[0] @ b[0], 2 * D),
        (lambda a, b: (a * b[:N]).view(-1).sum(), 2 * N * D),
    ],
)
def test_only_products_that_torch_does_not_count_are_counted(tensors, work, flops):
    anchors, pool, _ = tensors
    assert counted(lambda: work(anchors.detach(), pool)).flops == flops


def test_a_result_in_the_place_of_a_freed_product_is_no_product():
    def work():
        a = torch.ones(1000)
        for _ in range(20):
            (a * a).add(1)
            torch.ones(1000).sum()

    assert counted(work).flops == 0


def test_compiling_is_asked_for_and_a_machine_that_cannot_is_no_fault(make_subject, monkeypatch):
    check = next(check for check in CHECKS if check.name == "torch.compile agrees")
    assert "--compile" in result_of(check, make_subject(planted.Plain)).note
    monkeypatch.setattr(agreement, "compile_encoder", lambda *_: False)
    result = result_of(check, make_subject(planted.Plain, compiles=True))
    assert (result.status, "on this machine" in result.note) == ("skipped", True)


@pytest.mark.parametrize("changed", ["loss", "nothing"])
def test_a_compiled_encoder_that_computes_otherwise_is_found(make_subject, monkeypatch, changed):
    def compiled(encoder, batch, log):
        if changed == "loss":
            with torch.no_grad():
                encoder.embeddings.LayerNorm.weight.mul_(1.5)
        return True

    monkeypatch.setattr(agreement, "compile_encoder", compiled)
    run = agreement.compiled
    if changed == "nothing":
        assert "cosine of the gradients 1.0000" in run(make_subject(planted.Plain, compiles=True))
        return
    with pytest.raises(Broken, match="'mlm' is"):
        run(make_subject(planted.Plain, compiles=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_it_says_so(make_subject):
    with pytest.raises(NotChecked, match="no CUDA device"):
        agreement.devices(make_subject(planted.Plain))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees(make_subject):
    assert "losses within" in agreement.devices(make_subject(planted.Both))


class OneWaits(planted.Plain):
    """Process 0 gathers, and nobody else does."""

    def corrupt(self, batch, streams):
        if multiprocessing.parent_process() is not None:
            # The abort is expected: no dump of it in the middle of a passing run.
            faulthandler.disable()
        if batch.rows.first == 0:
            batch.rows.gather(batch.input_ids)
        return mask_tokens(batch, self.encoder_spec.vocabulary, streams)


def test_processes_that_do_not_gather_alike_are_told_and_ended(make_subject, monkeypatch):
    monkeypatch.setattr(two_processes, "PATIENCE", 20.0)
    sys.modules["planted"].OneWaits = OneWaits
    monkeypatch.setattr(OneWaits, "__module__", "planted")
    with pytest.raises(Broken, match="process"):
        two_processes.one_and_two(make_subject(OneWaits))
