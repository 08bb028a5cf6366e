"""An encoder that is not what was exported is refused, and records name what they were made from."""

import hashlib
import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from objbench.results.run_folder import read_records
from objbench.results.sealed_folder import damage, seal


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert run(make_study(), folder).exit_code == 0
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def last(run, objective):
    """The folder of the last encoder of one objective."""
    return max(run.glob(f"encoders/{objective}*/step-*"), key=lambda path: int(path.name[5:]))


def weights_of_another(copy):
    shutil.copy(last(copy, "mlm") / "model.safetensors", last(copy, "taco"))


def one_weight(copy):
    path = last(copy, "taco") / "model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, path, {"format": "pt"})


def sealed_again(copy):
    weights_of_another(copy)
    seal(last(copy, "taco"))


def pickled_weights(copy):
    (last(copy, "taco") / "pytorch_model.bin").write_bytes(b"anything")


def another_tokenizer(copy):
    path = last(copy, "taco") / "tokenizer.json"
    path.write_text(path.read_text().replace('"[MASK]": 4', '"[MASK]": 5') + " ")


def no_seal(copy):
    (last(copy, "taco") / "digests.json").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (weights_of_another, "model.safetensors is not what was written"),
        (one_weight, "model.safetensors is not what was written"),
        (sealed_again, "it was replaced by another"),
        (pickled_weights, "pytorch_model.bin does not belong there"),
        (another_tokenizer, "tokenizer.json is not what was written"),
        (no_seal, "digests.json: No such file"),
    ],
)
def test_a_changed_encoder_is_not_evaluated(copy, make_study, run, change, told):
    change(copy)
    for path in copy.glob("records/evaluation/*.taco.*100pct*"):
        path.unlink()
    end = run(make_study(), copy)
    assert end.exit_code == 2
    text = end.failures[0].text
    assert told in text
    assert "delete" in text
    assert "\n" not in text
    record = next(r for r in read_records(copy) if r.id == end.failures[0].id)
    assert (record.status, record.scores) == ("failed", {})


def test_records_name_the_digests_of_what_they_were_made_from(finished, cache):
    parts = {
        name: {
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in cache.glob(f"tokens/*/{name}.bin")
        }
        for name in ("train", "heldout")
    }
    records = {(r.kind, r.id): r for r in read_records(finished)}
    digests = {}
    for record in records.values():
        if record.kind == "pretrain":
            assert record.made_from["train"] in parts["train"]
            assert record.made_from["heldout"] in parts["heldout"]
            for point in record.points:
                assert damage(finished / point.encoder, point.digest) == ""
                digests[record.key, point.meters.steps] = point.digest
    assert len(set(digests.values())) == 4
    evaluated = [r for r in records.values() if r.kind == "evaluation"]
    assert len(evaluated) == 4
    for record in evaluated:
        digest = digests[record.upstream, record.meters.steps]
        assert record.made_from == {"encoder": digest}


def test_records_from_before_there_were_digests_are_read_and_used(copy, make_study, run):
    for path in copy.glob("records/*/*.json"):
        fields = json.loads(path.read_text())
        del fields["sha256"]
        fields.pop("made_from", None)
        for point in fields.get("points", []):
            del point["digest"]
        path.write_text(json.dumps(fields))
    for path in copy.glob("encoders/*/*/digests.json"):
        path.unlink()
    for path in copy.glob("records/evaluation/*100pct*"):
        path.unlink()
    assert run(make_study(), copy).exit_code == 0
    old = [r for r in read_records(copy) if r.kind == "pretrain"]
    assert all("made_from" not in r.model_dump() for r in old)
    assert all("digest" not in point.model_dump() for r in old for point in r.points)
