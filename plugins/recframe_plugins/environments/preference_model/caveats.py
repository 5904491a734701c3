"""What a reader must know about worlds that a rating model answers for, before the results: that the model knows little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["ERRORS", "model_caveats"]

ERRORS = 2
"""A gain is believed that is larger than this many of its standard errors."""


def model_caveats(errors: Mapping[str, float], what: str, prefix: str = "user_model/") -> Iterator[str]:
    """A sentence if the model's held-out error is no better than that of the mean of all ratings, or than that of biases alone.

    Better than biases alone is a mean squared error that is smaller by more than `ERRORS` standard errors: less than that, other ratings
    held out could turn round.

    errors: as `errors_of` gives them, under `prefix`.    what: what the model predicts, for the sentence.
    """
    rmse = {name: errors.get(f"{prefix}rmse_{name}") for name in ("model", "biases", "global_mean")}
    model, biases, mean = rmse["model"], rmse["biases"], rmse["global_mean"]
    if model is None or biases is None or mean is None:
        return
    figures = f"held-out RMSE: model {model:.4g}, biases {biases:.4g}, mean of all ratings {mean:.4g}"
    if model >= mean:
        yield f"{what} are predicted no better than by the mean of all ratings ({figures}); the results say nothing about these people"
    elif model >= biases:
        yield f"{what} are predicted no better than by biases alone ({figures}); in such a world there is nothing personal to learn"
    elif (gain := errors.get(f"{prefix}gain")) is not None and gain <= ERRORS * (error := errors[f"{prefix}gain_error"]):
        figures += f"; the squared error is {gain:.2g} less than with biases, with a standard error of {error:.2g}"
        yield f"{what} are predicted hardly better than by biases alone ({figures}); in such a world little that is personal can be learned"
