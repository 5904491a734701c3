"""Reference policies that plugins add to the final evaluation. Whatever is wrong with one leaves it out, and is said beside the results."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.errors import UserError
from recframe.experience import never_asked
from recframe.interfaces import EnvironmentSpec
from recframe.plugin_loader import raised, registry
from recframe.references.never_asking import never_asking

log = logging.getLogger(__name__)


class PluginReferences:
    """The references of all plugins, none without `evaluation.references`, and the sentences about those that are left out.

    Parameters
    ----------
    hook: the hook that gives them.     taken: the names of the other policies.     caveats: where the sentences go.
    fits: whether an object is such a policy.   right: in words, what one is.
    arguments: makes the hook's arguments besides `cfg` and `seed`, anew for each plugin.
    """

    def __init__(
        self,
        hook: str,
        parts: Parts,
        taken: Collection[str],
        caveats: list[str],
        *,
        fits: Callable[[Any], bool],
        right: str,
        arguments: Callable[[], dict[str, Any]],
    ) -> None:
        self.policies: dict[str, Any] = {}
        self._origins: dict[str, str] = {}
        self._caveats = caveats
        for plugin, distribution, call in registry().callers(hook) if parts.cfg.evaluation.references else ():
            where = f"plugin {plugin!r} ({distribution})"
            try:
                seed = derived_seed(parts.cfg.evaluation.seed, f"references of {plugin}")
                (returned,) = call(cfg=copy.deepcopy(parts.cfg), seed=seed, **arguments()) or ({},)
                if not isinstance(returned, Mapping):
                    raise TypeError(f"{hook} returned {returned!r}; policies by name are right")
            except (Exception, SystemExit) as error:
                self._leave_out(f"The reference policies of {where}", error)
                continue
            for name, policy in returned.items():
                if not isinstance(name, str) or not name:
                    self._leave_out(f"A reference policy of {where}", UserError(f"its name is {name!r}; a text is right"))
                elif name in taken or name in self.policies:
                    owner = self._origins.get(name, "recframe")
                    self._leave_out(f"The reference policy {name!r} of {where}", UserError(f"{owner} has one of this name"))
                elif not fits(policy):
                    self._leave_out(f"The reference policy {name!r} of {where}", UserError(f"it is {policy!r}; {right} is right"))
                else:
                    self.policies[name], self._origins[name] = policy, where

    def failed(self, name: str, error: BaseException) -> bool:
        """Leave out a policy that failed while it was evaluated; False if it is not a plugin's."""
        if name not in self._origins:
            return False
        self._leave_out(f"The reference policy {name!r} of {self._origins[name]}", error)
        del self.policies[name]
        return True

    def _leave_out(self, what: str, error: BaseException) -> None:
        known = isinstance(error, UserError)
        sentence = f"{what} is not in the table: {str(error) if known else raised(error)}."
        if what.startswith("The reference policies"):
            sentence = sentence.replace(" is not in the table", " are not in the table", 1)
        log.warning("%s", sentence, exc_info=None if known else (type(error), error, error.__traceback__))
        self._caveats.append(sentence)


def plugin_policies(parts: Parts, taken: Collection[str], caveats: list[str]) -> PluginReferences:
    """The policies of `recframe_reference_policies`, for the evaluation in the simulator."""

    first_question = parts.data.catalog.first_question

    def arguments() -> dict[str, Any]:
        # references recommend: they see no questions, wherever an agent may ask some
        environment = never_asked(parts.for_references().environment(parts.cfg.evaluation.tuning_sessions, "train"))
        return {"environment": environment, "data": copy.deepcopy(parts.without_cold_items(parts.data).without_questions())}

    found = PluginReferences(
        "recframe_reference_policies",
        parts,
        taken,
        caveats,
        fits=callable,
        right="a callable of an observation and the number of the turn",
        arguments=arguments,
    )
    if parts.data.catalog.num_questions:
        found.policies = {name: never_asking(policy, first_question) for name, policy in found.policies.items()}
    return found


def plugin_rankers(parts: Parts, spec: EnvironmentSpec, taken: Collection[str], caveats: list[str]) -> PluginReferences:
    """The policies of `recframe_reference_rankers`, for the evaluation on the log."""
    known = parts.log
    assert known is not None
    return PluginReferences(
        "recframe_reference_rankers",
        parts,
        taken,
        caveats,
        fits=lambda ranker: callable(getattr(ranker, "rank", None)) and hasattr(ranker, "reads_whole_history"),
        right="a recframe.interfaces.Ranker, with rank and reads_whole_history,",
        arguments=lambda: {"log": known.known_log(spec), "catalog": copy.deepcopy(parts.data.catalog)},
    )
