"""The objectives that come with objbench, one per file, each a plugin like any other.

The folder ``objectives`` is installed as ``objbench_objectives``, since a package named
``objectives`` could clash with another. Importing it by the folder's name would make a second copy
of every class, so that is refused.
"""

if __name__ != "objbench_objectives":
    raise ImportError(
        f"import this package as objbench_objectives, not {__name__}: "
        "install objbench with `pip install -e .` and import objbench_objectives"
    )
