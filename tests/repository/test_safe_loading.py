"""Nothing that is loaded can run code: no remote code, no pickles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("objbench", "objectives", "suites")
    for path in (ROOT / folder).rglob("*.py")
)


def calls(path):
    """(the dotted name of what is called, its keyword arguments as text, its line)."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield ast.unparse(node.func), words, node.lineno


def test_every_load_is_without_remote_code_and_pickles():
    loads = 0
    for path in FILES:
        for name, words, line in calls(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            if name.endswith(".from_pretrained"):
                loads += 1
                assert words.get("trust_remote_code") == "False", where
                if "Model" in name:
                    assert words.get("use_safetensors") == "True", where
            if name == "torch.load":
                assert words.get("weights_only") == "True", where
            if name in ("np.load", "numpy.load"):
                assert words.get("allow_pickle", "False") == "False", where
            assert name not in ("pickle.load", "joblib.load"), where
    assert loads >= 5


@pytest.mark.parametrize("text", ["AutoModel.from_pretrained(x)", "torch.load(x)"])
def test_the_search_sees_a_call(text, tmp_path):
    (tmp_path / "a.py").write_text(text)
    ((name, words, line),) = calls(tmp_path / "a.py")
    assert (name, words, line) == (text.partition("(")[0], {}, 1)
