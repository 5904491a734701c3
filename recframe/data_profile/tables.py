"""The profile of data as tables for the terminal. What comes from data is printed as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from recframe.console import plain
from recframe.data_profile.interactions import Activity, Feedback, day_of
from recframe.data_profile.profile import DataProfile
from recframe.data_profile.quantities import Quantiles

QUANTILE_HEADINGS = ("least", "25 %", "median", "75 %", "90 %", "99 %", "most", "mean")


def profile_tables(profile: DataProfile) -> Iterator[RenderableType]:
    """The parts of a profile, one after the other."""
    yield Text(f"{plain(profile.name)}\n", style="bold")
    yield _facts(facts_of(profile))
    if profile.users is not None and profile.items is not None:
        yield _distributions("interactions", [("per user", profile.users.quantiles), ("per item", profile.items.quantiles)])
    signals = [(signal.name, signal.quantiles) for signal in profile.feedback if signal.quantiles is not None]
    if signals:
        yield _distributions("feedback", signals)
    few = [signal for signal in profile.feedback if signal.values]
    if few:
        yield _values(few)
    lengths = [(f"words, {role}", one.words) for role, one in profile.texts.items() if one.words is not None]
    if lengths:
        yield _distributions("texts", lengths)
    yield _doubts(profile)


def facts_of(profile: DataProfile) -> list[tuple[str, str]]:
    """The single figures of a profile, with their names."""
    facts = [("items", f"{profile.num_items:,}"), ("users", f"{profile.num_users:,}"), ("interactions", f"{profile.num_interactions:,}")]
    if profile.density is not None:
        repeats = profile.num_interactions - profile.num_pairs
        facts += [("sparsity", f"{1 - profile.density:.4%} of all pairs of a user and an item are unknown")]
        facts += [("repeated", f"{repeats:,} interactions are with an item that the user met before")] if repeats else []
    if profile.time is not None:
        span = profile.time
        facts += [("time", f"{day_of(span.first)} to {day_of(span.last)}, {span.days:,.0f} days, {span.distinct:,} different times")]
    for name, activity in (("users", profile.users), ("items", profile.items)):
        if activity is not None:
            facts += [(f"top {name}", f"{_concentration(activity)}")]
    for role, coverage in profile.texts.items():
        share = coverage.with_text / max(coverage.total, 1)
        facts += [(f"texts, {role}", f"{share:.1%} have a text, {coverage.distinct:,} different ones")]
    return facts


def _concentration(activity: Activity) -> str:
    return f"the 10 % with most interactions have {activity.top_tenth:.1%} of them (Gini {activity.gini:.3f})"


def percent(share: float) -> str:
    """A share with one digit behind the point, and never 0.0 % of what is there."""
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def figure(value: float) -> str:
    """A number with as many digits as it needs."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in facts:
        table.add_row(plain(name), Text(plain(value)))
    return table


def _distributions(heading: str, rows: Sequence[tuple[str, Quantiles]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(f"\n{heading}", no_wrap=True)
    for name in QUANTILE_HEADINGS:
        table.add_column(f"\n{name}", justify="right", no_wrap=True)
    for name, quantiles in rows:
        table.add_row(Text(plain(name)), *(figure(value) for value in (*quantiles.values, quantiles.mean)))
    return table


def _values(signals: Sequence[Feedback]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("\nvalues", no_wrap=True)
    table.add_column("\nshare of the known ones")
    for signal in signals:
        shares = ", ".join(f"{figure(value)}: {count / signal.known:.1%}" for value, count in signal.values or ())
        table.add_row(Text(plain(signal.name)), shares)
    return table


def _doubts(profile: DataProfile) -> RenderableType:
    if not profile.doubts:
        return Text("\nNothing looks suspicious.")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("suspicious", "count", "share", "meaning", "what to do"):
        table.add_column(f"\n{name}", justify="right" if name in ("count", "share") else "left", no_wrap=name in ("count", "share"))
    for doubt in profile.doubts:
        table.add_row(
            Text(plain(doubt.what)), f"{doubt.count:,}", percent(doubt.share), Text(plain(doubt.meaning)), Text(plain(doubt.remedy))
        )
    return table
