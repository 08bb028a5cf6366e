"""The suites that come with objbench, installed as ``objbench_suites``."""

# Imported by its folder's name from the repository root, every class here would exist twice.
if __name__ != "objbench_suites":
    raise ImportError(f"import objbench_suites, not {__name__}")
