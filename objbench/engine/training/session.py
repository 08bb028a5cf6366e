"""One objective set up for training on this process: model, data, optimizer, and one step of it.

What a step computes is a pure function of (job, weights, optimizer state, step number): batches,
masks and dropout come from counter-based streams, so a resumed session needs no generator state.

Shape legend: K terms of the objective.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import torch
import torch.distributed
from accelerate import Accelerator
from accelerate.utils import release_memory
from torch import Tensor
from torch.optim import Optimizer

from objbench.contract.batch import Batch
from objbench.contract.phases import phase_shares
from objbench.contract.random_streams import Streams, stream_key
from objbench.data.loader import Loader
from objbench.engine.encoder.compiled import compile_encoder
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.recomputed_layers import recompute_layers
from objbench.engine.global_generators import seed_global_generators
from objbench.engine.training.causality import require_causal_where_asked
from objbench.engine.training.devices import make_accelerator, prepared
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.guarded_update import GuardedUpdate
from objbench.engine.training.heldout_loss import require_heldout_text
from objbench.engine.training.initial import initial_models
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.optimizer import build_optimizer
from objbench.engine.training.parts import Part, counts_of, deal
from objbench.engine.training.step import TrainingStep, mean_loss, term_weights
from objbench.engine.training.teachers import frozen_teachers
from objbench.results.phase_costs import PhaseCost

_log = logging.getLogger(__name__)


class Session:
    """A job, built and warmed up.

    Building it runs one pass whose gradients are discarded: it counts the FLOPs, loads the kernels,
    and finds parameters of the encoder that the objective never uses.

    Args:
        job: what to train.

    Attributes:
        accelerator: as ``accelerate`` set it up.
        module: encoder and objective, not wrapped.
        optimizer: as the settings name it.
        update: the guarded use of it.
        weights: (K,) float32, the terms' weights.
        names: the terms' names.
        compiled: whether the encoder is; compilation that was asked for may not work.
        progress_at: number of a step -> ``Batch.progress`` there.
        flops_per_step: training FLOPs of an optimizer step over all processes, in expectation
            over the modes.
        phases: what a step costs in each phase of the budget; empty if the objective has none.
        tokens_per_step: non-padding tokens of an optimizer step over all processes.

    Raises:
        ConfigError: the encoder, the batch, the device or the precision does not fit.
        DataError: the corpus is shorter than one batch, or the held-out text is too short.
    """

    def __init__(self, job: PretrainJob) -> None:
        self.job = job
        # Of a session that only measures, the whole budget is one leg; a run sets its own.
        self.progress_at: Callable[[int], float] = self._plain_progress
        training = job.training
        self.accelerator: Accelerator = make_accelerator(job.device, training.precision)
        self._parts = training.micro_batches
        # Fails now, not at the first step, if the batch cannot be split.
        self._loader = self.loader()
        encoder, objective = initial_models(job)
        teachers = frozen_teachers(job, self.device)
        self.module = TrainingStep(encoder, objective, teachers).to(self.device).train()
        for module in (self.module, *teachers.values()):
            # torch.compile brings a fast dropout of its own.
            trains = module is self.module and not training.compile
            use_cpu_kernels(module, self.device, training.precision, job.length, trains)
        require_heldout_text(job, self._loader, objective)
        self.weights = term_weights(objective, self.device)
        self.names = [term.name for term in objective.terms]
        with self.accelerator.autocast():
            whole = self._loader.batch(0)
            first = self.parts(whole, self.streams(0, whole))[0]
            require_causal_where_asked(self.module, first.batch, first.streams())
            # One process's FLOPs are those of all, and one part's: no pass only to count is
            # among them, as no recomputation is.
            counted = count_training_flops(self.module, first.batch, first.streams())
            self.compiled = training.compile and compile_encoder(encoder, first.batch, _log)
        if training.activation_checkpointing:
            recompute_layers(self.module)
        self.flops_per_step = counted.flops * self._parts * self.processes
        self.phases = tuple(
            PhaseCost(
                mode=mode,
                share=share,
                flops_per_step=counted.by_mode[mode] * self._parts * self.processes,
            )
            for mode, share in phase_shares(objective).items()
        )
        self.tokens_per_step = training.batch * job.length
        self.optimizer: Optimizer = build_optimizer(self.module, training)
        self.model = prepared(self.accelerator, self.module, bool(counted.unused))
        self.update = GuardedUpdate(self.accelerator, self.module, self.optimizer, training)

    @property
    def device(self) -> torch.device:
        """This process's device."""
        return torch.device(self.accelerator.device)

    @property
    def processes(self) -> int:
        """Processes that train together."""
        return int(self.accelerator.num_processes)

    @property
    def process(self) -> int:
        """Index of this process among them."""
        return int(self.accelerator.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this process writes what all share."""
        return bool(self.accelerator.is_main_process)

    def loader(self) -> Loader:
        """A loader of this process's share of every batch."""
        return Loader(
            self.job.train,
            self.job.vocabulary,
            seed=self.job.seed,
            batch=self.job.training.batch,
            device=self.device,
            process=self.process,
            processes=self.processes,
            parts=self._parts,
            gather=self._gather,
        )

    def parts(self, batch: Batch, streams: Streams) -> list[Part]:
        """The parts that ``batch``, of this process's rows, is computed in.

        As many as the settings say; fewer of a short batch of held-out text, whose parts are no
        smaller than those of training.
        """
        size = self.job.training.batch // (self._parts * self.processes)
        return deal(self.module, batch, streams, max(1, len(batch.input_ids) // size))

    def streams(self, step: int, batch: Batch) -> Streams:
        """The random numbers of a step, for the rows of ``batch``."""
        return Streams(
            self.job.seed,
            step,
            0,
            rows=batch.rows.total,
            first=batch.rows.first,
            count=len(batch.input_ids),
            device=self.device,
        )

    def gradients(self, step: int, mode: str | None = None) -> Tensor:
        """Compute the gradients of step number ``step``.

        Args:
            step: its number.
            mode: of the objective, to measure each; None for the one that it draws.

        Returns:
            (2, K) float32 on the device: each term's mean over the whole batch, 0 if it has no
            items; and 1 where it has some.
        """
        batch, streams = self.begin(step, mode)
        parts = self.parts(batch, streams)
        if len(parts) == 1:
            self._seed_dropout(step, 0)
            totals, own = self.model(parts[0].batch, parts[0].streams())
            sums, counts = self.summed(totals, own)
            means = self.backward(totals, sums, counts)
        else:
            counts = self._counts(step, parts)
            means = torch.zeros_like(counts)
            for number, part in enumerate(parts):
                self._seed_dropout(step, number)
                last = number == len(parts) - 1
                with nullcontext() if last else self.accelerator.no_sync(self.model):
                    totals, _ = self.model(part.batch, part.streams())
                    (sums,) = self.summed(totals)
                    means = means + self.backward(totals, sums, counts)
        return torch.stack([means, (counts > 0).float()])

    def begin(self, step: int, mode: str | None = None) -> tuple[Batch, Streams]:
        """This process's rows of a step's batch and their random numbers."""
        batch = self._loader.batch(step)
        batch = replace(batch, progress=self.progress_at(step), mode=mode)
        return batch, self.streams(step, batch)

    def backward(self, totals: Tensor, sums: Tensor, counts: Tensor) -> Tensor:
        """Add the gradients of a part's losses to those accumulated so far.

        Args:
            totals: (K,) float32 sums of this process's rows, with their graph.
            sums: (K,) float32, the same of all processes.
            counts: (K,) float32 counts of the whole batch, over all parts and processes.

        Returns:
            (K,) float32: what the part adds to each term's mean over the whole batch.
        """
        means = sums / counts.clamp(min=1)
        loss = mean_loss(totals, counts, self.weights, self.processes)
        self.accelerator.backward(self.update.guarded(loss, means))
        return means

    def summed(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Each of ``values``, (K,) float32, added up over processes, without gradient or host sync."""
        if self.processes == 1:
            return tuple(value.detach() for value in values)
        together = torch.stack([value.detach() for value in values])
        torch.distributed.all_reduce(together)
        return tuple(together)

    def _counts(self, step: int, parts: list[Part]) -> Tensor:
        """(K,) float32 counts of the whole batch, from all its parts and processes."""
        own = []
        with self.accelerator.autocast():
            for number, part in enumerate(parts):
                # A generator's samples, which a foreign term may count, depend on its dropout.
                self._seed_dropout(step, number)
                own.append(counts_of(self.module, part))
        (counts,) = self.summed(torch.stack(own).sum(dim=0))
        return counts

    def close(self) -> None:
        """Free the model now, not when Python next collects cycles."""
        # Not accelerator.free_memory(), which collects before it lets go of the model.
        del self.model, self.module, self.optimizer, self.update, self.accelerator
        release_memory()

    def _plain_progress(self, step: int) -> float:
        # The middle of the step, as for the learning rate; steps that are only timed may go beyond
        # the job's last.
        return min((step + 0.5) / self.job.steps, 1.0)

    def _gather(self, rows: Tensor) -> Tensor:
        if self.processes == 1:
            return rows
        gathered: Tensor = self.accelerator.gather(rows.detach())
        return gathered

    def _seed_dropout(self, step: int, part: int) -> None:
        """Seed the global generator, so that earlier draws from it have no effect."""
        key = stream_key(self.job.seed, "dropout", step, part, self.process)
        seed_global_generators(key, self.device)
