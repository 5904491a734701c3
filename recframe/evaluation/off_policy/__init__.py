"""Off-policy evaluation: what the decisions that another policy logged say about a policy that was not there."""
