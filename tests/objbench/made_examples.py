"""Examples for the made-up study: one bit for each example and metric, whose means are the scores."""

import numpy as np

from objbench.contract.suite import ExampleScores
from objbench.results.packed_values import stored_examples
from objbench.results.records import EvaluationRecord

SIZES = {"cola": 40, "mrpc": 70, "mnli_m": 50, "mnli_mm": 60}


def give_examples(study, same_mnli=False):
    """Bits of examples of which some are hard for all and some are for taco; the scores are theirs.

    Returns:
        (objective, seed, fine-tuning seed, column) -> metric -> the values.
    """
    random = np.random.default_rng(11)
    sizes = {**SIZES, "mnli_mm": SIZES["mnli_m"]} if same_mnli else SIZES
    hard = {column: random.normal(0, 1, size) for column, size in sizes.items()}
    for_taco = {column: random.normal(0.3, 2, size) for column, size in sizes.items()}
    raw = {}
    for cell in study.plan.cells:
        if cell.kind != "evaluation" or cell.share < 1:
            continue
        scores, examples, counts = {}, {}, {}
        for column, metrics in study.records[cell.id].scores.items():
            odds = hard[column] + (for_taco[column] if cell.objective == "taco" else 0)
            values = {
                metric: (random.random(len(odds)) < 1 / (1 + np.exp(-odds))) * 1.0
                for metric in metrics
            }
            raw[cell.objective, cell.seed, cell.finetune_seed, column] = values
            scores[column] = {metric: float(own.mean()) for metric, own in values.items()}
            of = "mnli" if same_mnli and column.startswith("mnli") else column
            examples[column] = stored_examples(ExampleScores(of, values))
            counts[column] = len(odds)
        study.change(cell.id, scores=scores, examples=examples, eval_examples=counts)
        fields = study.records[cell.id].model_dump()
        assert EvaluationRecord.model_validate(fields) == study.records[cell.id]
    return raw
