"""The log window: what was added, which step was refused, and why."""

from __future__ import annotations

import math

import pytest
import torch

from objbench.engine.training.loss_log import Logbook

CPU = torch.device("cpu")


def book_of(*rows: tuple[float, float, float]) -> Logbook:
    book = Logbook(10, 2, CPU)
    for first, second, norm in rows:
        book.add(torch.tensor([[first, second], [1.0, 1.0]]), torch.tensor(norm))
    return book


def test_a_window_holds_what_was_added_since_the_last():
    book = book_of((1, 2, 3), (4, 5, 6))
    window = book.window(last=12)
    assert window.terms.tolist() == [[1, 2], [4, 5]] and window.norms.tolist() == [3, 6]
    book.keep(1)
    assert book.window(11).terms.tolist() == [[1, 2]]
    book.keep(0)
    assert len(book.window(11).terms) == 0


def test_it_goes_through_a_checkpoint():
    book = book_of((1, 2, 3), (4, 5, 6))
    other = Logbook(10, 2, CPU)
    other.restore(book.state())
    other.add(torch.tensor([[7.0, 8.0], [1.0, 1.0]]), torch.tensor(9.0))
    assert other.window(3).terms.tolist() == [[1, 2], [4, 5], [7, 8]]


def test_the_refused_step_is_found_and_named():
    window = book_of((1, 2, 3), (4, math.nan, 6), (math.inf, 1, 1)).window(last=12)
    assert window.first_refused(skips_overflow=False) == 1
    assert window.reason(1, ["a", "b"]) == "the loss term 'b' was nan at step 11"
    window = book_of((1, 2, math.inf), (4, math.nan, 6)).window(last=2)
    assert window.first_refused(skips_overflow=False) == 0
    assert window.reason(0, ["a", "b"]) == "the gradient norm was inf at step 1"
    assert window.first_refused(skips_overflow=True) == 1
    with pytest.raises(ValueError, match="no step"):
        book_of((1, 2, 3)).window(1).first_refused(skips_overflow=False)


def test_a_term_without_items_is_no_zero_in_its_mean():
    book = Logbook(10, 3, CPU)
    # The second term is in two of three steps, the third in none.
    for terms, present in (
        ([1.0, 2.0, 0.0], [1.0, 1.0, 0.0]),
        ([3.0, 6.0, 0.0], [1.0, 1.0, 0.0]),
        ([5.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    ):
        book.add(torch.tensor([terms, present]), torch.tensor(1.0))
    other = Logbook(10, 3, CPU)
    other.restore(book.state())
    window = other.window(3)
    assert window.means(["a", "b", "c"]) == {"a": 3.0, "b": 4.0}
    # The loss is what was differentiated: 1 + 2 w, 3 + 6 w and 5.
    assert window.loss(torch.tensor([1.0, 0.5, 7.0])) == pytest.approx((2 + 6 + 5) / 3)
