"""The check of a registered component: the conformance suite, with what it raises as a finding."""

from __future__ import annotations

import time
from collections.abc import Iterator

from recframe.components import Component, options_of
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_loader import Registered, Registry, UnknownComponent, raised

MANDATORY = "???"


def components_of(distribution: str, found: Registry) -> list[Registered]:
    """The components that a distribution registered, also those whose name another one claims, too."""
    return [registered for registered in found.claims() if registered.distribution == distribution]


def component_findings(distribution: str, found: Registry) -> Iterator[Finding]:
    """A finding for each component of a distribution."""
    import recframe.testing  # noqa: F401  # its seconds are no component's

    for registered in components_of(distribution, found):
        component = registered.component
        subject = called(component)
        try:
            found.get(component.kind, component.name)
        except UnknownComponent as error:
            yield Finding(Status.FAILED, "component", subject, str(error))
            continue
        started = time.perf_counter()
        status, message = conformance(component)
        seconds = f" ({time.perf_counter() - started:.1f} s)" if status is Status.OK else ""
        yield Finding(status, "component", subject, message + seconds)


def called(component: Component) -> str:
    """A component as it is chosen on a command line: "agent=dqn"."""
    return f"{component.kind}={component.name}"


def mandatory_options(component: Component) -> list[str]:
    """The options without a default, for which only the component's author knows a value that a test can use."""
    return [option.name for option in options_of(component.config) if option.default == MANDATORY]


def conformance(component: Component) -> tuple[Status, str]:
    """Whether a component conforms, and what is wrong if it does not."""
    from recframe.testing import ConformanceError, DataNeeded, check_component

    if mandatory := mandatory_options(component):
        remedy = f"test it with check_component(component, {component.config.__name__}({mandatory[0]}=...))"
        return Status.NOTE, f"not built, as its option {mandatory[0]!r} is mandatory; {remedy}"
    try:
        check_component(component)
    except DataNeeded as error:
        return Status.NOTE, f"not checked: {error}"
    except ConformanceError as error:
        return Status.FAILED, str(error)
    except (Exception, SystemExit) as error:  # whatever the component's code raises, the other components are checked
        return Status.FAILED, f"it raised {raised(error)}"
    return Status.OK, "conforms"
