"""The measures of item codes in one line, for the log of a run."""

from __future__ import annotations

from recframe.item_codes.codes import ItemCodes


def codes_summary(codes: ItemCodes) -> str:
    """Such as "residual_kmeans 64 x 64 x 64 of 10,506 items: 22.6 % collide, 41.5 % of the variance explained, ..."."""
    report = codes.report()
    levels = codes.prefixes.shape[1]
    sizes = " x ".join(map(str, codes.sizes[:levels])) if codes.kind != "titles" else f"of up to {levels} of {codes.sizes[0]:,} tokens"
    parts = [f"{100 * report['collisions']:.1f} % collide"]
    if "reconstruction" in report:
        parts.append(f"{100 * report['reconstruction']:.1f} % of the variance explained")
    if "neighbours_share_first" in report:
        shared, chance = (100 * report[name] for name in ("neighbours_share_first", "chance_share_first"))
        parts.append(f"{shared:.1f} % share the first code of their nearest item ({chance:.1f} % by chance)")
    return f"{codes.kind} {sizes} of {len(codes):,} items: {', '.join(parts)}"
