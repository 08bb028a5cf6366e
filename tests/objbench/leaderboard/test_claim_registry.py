"""The registry says for each claim whether a study has evidence, and what the judge says of it."""

import pytest

from objbench.judge.judgement import judge_claims
from objbench.judge.papers.claims import read_claims
from objbench.judge.verdict_sentence import verdict_words
from objbench.leaderboard.claim_evidence import claim_evidence, evidence_words
from objbench.leaderboard.claim_registry import listing_rows, registry_page
from objbench.leaderboard.render_markdown import render_markdown
from objbench.results.study_results import read_study_results

TACO, ELECTRA = read_claims("taco-2022"), read_claims("electra-2020")
FLOORS = {"majority": 30, "untrained": 20}


@pytest.fixture
def studies(tmp_path, make_study):
    """Two studies of mlm and taco: one with seeds that settle something, one with too few."""
    whole = make_study(seeds=(1, 2, 3, 4), floors=FLOORS)
    whole.measure_learning()
    whole.write(tmp_path / "four")
    make_study(seeds=(1, 2)).write(tmp_path / "two")
    return tmp_path


def test_evidence_is_what_the_judge_says_study_by_study(studies):
    found = claim_evidence(studies, [TACO, ELECTRA])
    assert set(found) == {("taco-2022", "speedup"), ("taco-2022", "gain")}
    for study in ("four", "two"):
        results = read_study_results(studies / study)
        for judged in judge_claims(results, [TACO]):
            own = {e.study: e for e in found["taco-2022", judged.claim.id]}[study]
            assert own.primary.verdict == judged.verdict
            assert own.is_measured
            assert own.words.split("; ")[0] == verdict_words(judged)
            assert bool(own.why) == (judged.verdict == "inconclusive")
            assert all(item.verdict != "inconclusive" for item in own.settled)
            assert all(not item.is_primary for item in own.settled)


def test_in_few_words_settled_comes_before_open_and_open_before_unmeasured(studies):
    (four, two) = claim_evidence(studies, [TACO])["taco-2022", "gain"]
    assert (four.study, two.study) == ("four", "two")
    assert four.primary.verdict != "inconclusive"
    assert evidence_words([four, two]) == "four: settled"
    assert evidence_words([two]) == "two: not settled"
    assert evidence_words([]) == "none"


def test_a_score_that_no_study_has_is_no_evidence(studies):
    squad = TACO.score.model_copy(update={"suite": "squad"})
    other = TACO.model_copy(update={"score": squad})
    for own in claim_evidence(studies, [other])["taco-2022", "gain"]:
        assert not own.is_measured
        assert own.words.startswith("not tested")
        assert "does not score squad" in own.why
        words = evidence_words([own])
        expected = "by other scores only" if own.settled else "not its score"
        assert words == f"{own.study}: {expected}"


def test_the_page_has_every_claim_and_counts_what_was_not_measured(studies):
    files = [TACO, ELECTRA]
    page = render_markdown(registry_page(files, claim_evidence(studies, files)))
    settled = sum(
        any(own.is_settled for own in found) for found in claim_evidence(studies, files).values()
    )
    said = f"The studies here settle {settled or 'none'} of them by the score that the claim names."
    assert f"5 claims from 2 sources. {said} 5 rest on one pretraining run per side." in page
    assert "by the score that the claim names" not in render_markdown(registry_page(files))
    assert "[four](../four/README.md)" in page
    assert "[taco-2022 gain](taco-2022.toml)" in page
    assert "- 3 claims: no study here has both sides." in page
    lines = list(listing_rows(files, claim_evidence(studies, files)))
    assert [line[0] for line in lines[1:]] == [
        f"{file.name} {claim.id}" for file in files for claim in file.claims
    ]
    assert [line[-1] for line in lines] == ["EVIDENCE", *[line[-1] for line in lines[1:3]]] + [
        "none"
    ] * 3
    assert {len(line) for line in listing_rows(files)} == {7}


def test_runs_are_counted_as_the_sources_give_them():
    claims = [
        claim.model_copy(update={"runs": runs})
        for claim, runs in zip(
            [*TACO.claims, *TACO.claims, TACO.claims[0]], (1, 3, 3, None, 5), strict=True
        )
    ]
    file = TACO.model_copy(update={"claims": tuple(claims)})
    page = render_markdown(registry_page([file]))
    assert (
        "1 rest on one pretraining run per side, 2 on 3 runs, 1 on 5 runs and for 1 the source does not "
        "say."
    ) in page
