"""What a service lets others see of it: its pages over HTTP, and its traces.

Both stand on extras, which are imported only where the configuration asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from midflight.config import Config
from midflight.probes import Probes, Standing

if TYPE_CHECKING:
    from midflight.tracing import Tracing  # it cannot be imported without its extra


def probes_of(config: Config, standing: Callable[[], Standing]) -> Probes | None:
    """The pages of a service, not yet open. Raises ConfigError, and MissingExtra."""
    if config.metrics.listen is None:
        return None
    from midflight import metrics

    return Probes(config.metrics.listen, metrics.pages(standing), config.path)


def tracing_of(config: Config, standing: Standing) -> Tracing | None:
    """The traces of a service. Raises ConfigError, and MissingExtra."""
    if config.traces.endpoint is None:
        return None
    from midflight import tracing

    return tracing.tracing_to(config, standing)
