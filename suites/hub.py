"""Reading from the Hugging Face hub without its noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Silence progress bars and the warnings for retries of an unreachable hub."""
    import datasets
    from huggingface_hub.utils import logging

    had_bars = not datasets.are_progress_bars_disabled()
    verbosity = logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            datasets.enable_progress_bars()
