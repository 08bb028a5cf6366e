"""The encoder track: which recipe reaches a fixed target with the least compute, by fixed rules.

``track`` is what is fixed, as data; ``rules`` judges a study against it; ``rows`` are its recipes with
what they spent; ``holders`` says who holds the record. Records are read and nothing else.
"""
