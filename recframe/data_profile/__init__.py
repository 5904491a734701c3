"""What data look like before anything is trained on them: counts, distributions and doubts, as tables and as one HTML file."""

from recframe.data_profile.html import check_target, write_html
from recframe.data_profile.profile import DataProfile, profile_of
from recframe.data_profile.tables import profile_tables

__all__ = ["DataProfile", "check_target", "profile_of", "profile_tables", "write_html"]
