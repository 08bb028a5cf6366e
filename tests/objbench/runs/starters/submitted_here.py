"""The command line, with submitit's executor for this machine in the place of Slurm."""

import sys
from functools import partialmethod

from objbench.cli.main import main
from objbench.runs.starters.slurm_jobs import SlurmJobs

if __name__ == "__main__":
    SlurmJobs.__init__ = partialmethod(SlurmJobs.__init__, cluster="local")
    sys.exit(main())
