"""No item left means no future: every agent learns from sessions that show a whole catalogue, or all but a rest that fills no slate."""

import math

import pytest
import torch

from recframe.interfaces import NoExperience, Replay
from recframe.testing import ToyTracker, check_agent, collect, toy_data, update
from recframe.plugin_loader import registry
from recframe.components import Kind
