"""The verb `setup`: make what a run needs before it has jobs and machines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...inputs.settings import Settings


@click.command()
@for_each_run(goes_on=False)
def setup(settings: Settings) -> None:
    """Create the queue, its dead-letter queue, the cluster, the task definition and the service.

    Safe to repeat after a change of config.py.  Example: python run.py setup
    """
    from ...aws.compute.registry import image_labels
    from ...commands.setting_up.setup import setup as set_up
    from ..advice import show_next
    from ..connection import connect, is_simulated

    aws = connect(settings)
    # In a rehearsal no machine fetches the image.
    set_up(aws, settings, labels_of=None if is_simulated() else partial(image_labels, aws))
    show_next(aws, settings, after="setup")
