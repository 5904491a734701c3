"""The dataset bandit_log: logged decisions of a policy, with their propensities."""
