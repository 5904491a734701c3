"""How good a policy is: rollouts on held-out users, metrics with confidence intervals, and the policies to compare with.

Nothing is imported here: `recframe.evaluation.table` is used where torch must not be loaded.
"""
