"""What an objective must hold to, as checks that say what they mean and how to mend what they find.

In-tree objectives and foreign ones are checked alike, on the preset's encoder and short rows of
the toy language. A check looks from outside: at the contract of ``objbench.contract.objective``, at what a
step returns, and at what is left behind.
"""
