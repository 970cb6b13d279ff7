"""One run for each machine type: the settings of each, and which jobs are whose.

With RUN_PER_MACHINE_TYPE a job's group names the `instance_type` that it runs on. Each type of
MACHINE_TYPE then has an ordinary run of its own, of the app `<APP_NAME>_<type>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..protocol.templates import is_scalar, plain
from .jobs import Group

if TYPE_CHECKING:
    from .settings import Settings

TYPE_KEY = "instance_type"
TAG_KEY = "TAG"  # a job's own name, which its command finds as $TAG
_LONGEST_NAME = 67  # characters of an app's name


def type_settings(settings: Settings) -> tuple[Settings, ...]:
    """The settings of each type's run; the settings as they are without RUN_PER_MACHINE_TYPE.

    Names that begin with APP_NAME begin with the run's own then, and the queue is always its own.
    """
    if not settings.run_per_machine_type:
        return (settings,)
    return tuple(
        _of_type(settings, machine_type) for machine_type in dict.fromkeys(settings.machine_type)
    )


def app_of_type(app_name: str, machine_type: str) -> str:
    """The app of a type's run: `Sweep_c5-xlarge`, since no dot may be in a queue's name."""
    return f"{app_name}_{machine_type.replace('.', '-')}"


def base_app(settings: Settings) -> str:
    """APP_NAME as the config has it, from the settings of a type's run."""
    return settings.app_name.removesuffix(app_of_type("", settings.machine_type[0]))


def type_of(group: Group) -> str:
    """The machine type that a group names; '' if it names none."""
    value = group.value.get(TYPE_KEY, "") if isinstance(group.value, Mapping) else ""
    return plain(value).strip() if is_scalar(value) else ""


def tagged(group: Group, app_name: str, number: int) -> Group:
    """The group with its tag, which names the job and the folder of its results."""
    tag = f"{app_name}{number}"
    values = dict(group.value) if isinstance(group.value, Mapping) else {}
    own = {"output": f"results/{app_name}/{{{TAG_KEY}}}", **(group.own or {})}
    return Group({**values, TAG_KEY: tag}, {**own, "name": f"{{{TAG_KEY}}}"})


def _of_type(settings: Settings, machine_type: str) -> Settings:
    app = settings.app_name
    name = app_of_type(app, machine_type)
    if len(name) > _LONGEST_NAME:
        raise UsageError(
            f"APP_NAME = {app!r} is too long for a run of {machine_type}: {name} has more than "
            f"{_LONGEST_NAME} characters."
        )

    def own(text: str) -> str:
        return name + text.removeprefix(app) if text.startswith(app) else text

    queue = own(settings.sqs_queue_name)
    return settings.model_copy(
        update={
            "app_name": name,
            "machine_type": (machine_type,),
            "log_group_name": own(settings.log_group_name),
            "ecs_cluster": own(settings.ecs_cluster),
            "sqs_queue_name": queue
            if queue != settings.sqs_queue_name
            else f"{queue}_{name}"[-80:],
            "sqs_dead_letter_queue": own(settings.sqs_dead_letter_queue),
        }
    )
