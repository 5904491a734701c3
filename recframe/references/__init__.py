"""The policies that every policy is compared with."""
