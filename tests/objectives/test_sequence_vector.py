"""One vector a sequence: real tokens only, and of a causal pass the token that has seen them all."""

import pytest
import torch

from objbench.contract.batch import Corrupted
from objbench_objectives.dropout import dropout_fields, drops
from objbench_objectives.sequence_vector import sequence_vectors


@pytest.mark.parametrize("padded", [False, True])
def test_vectors_are_those_of_loops(batch_of, padded):
    batch = batch_of(padded=padded)
    states = torch.randn(*batch.input_ids.shape, 3, dtype=torch.float64)
    ends = batch.real.sum(dim=1).tolist()
    for row, end in enumerate(ends):
        own = [states[row, column] for column in range(end)]
        assert torch.equal(sequence_vectors(states, batch)[row], own[0])
        causal = Corrupted.of(batch, causal=True)
        assert torch.equal(sequence_vectors(states, causal)[row], own[-1])
        mean = sequence_vectors(states, batch, "mean")[row]
        assert torch.allclose(mean, sum(own) / end, atol=1e-6)


def test_what_a_head_drops_is_none_of_the_encoders():
    electra = {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "summary_last_dropout": 0.1,
        "classifier_dropout": None,
        "hidden_size": 8,
    }
    assert dropout_fields(electra) == ("hidden_dropout_prob", "attention_probs_dropout_prob")
    assert not drops(electra)
    assert drops({**electra, "attention_probs_dropout_prob": 0.1})
    assert drops({"dropout": 0.1, "qa_dropout": 0.0})
    assert not drops({"dropout": 0.0, "seq_classif_dropout": 0.2})
