"""The contract of objectives as checks, each of which says what a failure means and how to fix it.

Bundled objectives and those of other projects are checked in the same way, on the encoder of a
preset and short rows of the toy language. A check looks from outside: at the contract in
``objbench.contract.objective``, at what a step returns, and at what it leaves behind.
"""
