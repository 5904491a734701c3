"""Reference policies that every policy is compared with: random, popular, fixed slate, greedy,
posterior greedy and oracle.

The modules here hold the policies, which evaluation uses directly and the baseline agents wrap. `fitting` fits and tunes them in a
training environment.
"""
