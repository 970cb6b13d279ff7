"""The families of job files and messages: which keys tell them apart, and what they mean.

Each program of upstream's family has its own form. A job file is told by its shared keys, a message
by the key that holds what one job has of its own; a worker needs nothing else to know the family.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from . import templates

Values = dict[str, object]


@dataclass(frozen=True)
class Family:
    """One form of job files; `word` is what people type, `title` what they read."""

    word: str
    title: str
    item_key: str = "group"  # of a message: what differs from job to job
    list_key: str = "groups"  # of a job file: the list of these
    sent: frozenset[str] | None = None  # the shared keys that are sent; None: all of them
    required: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)  # for keys a job file lacks
    objects: frozenset[str] = frozenset()  # keys that must be objects
    item_of: Callable[[object], object] = lambda group: group
    """What a message holds for a group of a job file."""
    problem: Callable[[object], str | None] = lambda _: None
    """What is wrong with the item of one job, as a sentence; None if nothing is."""
    parsed: Callable[[object], object] = lambda item: item
    """An item as names and values, or a single value."""
    values: Callable[[Mapping[str, object]], Values] = lambda _: {}
    """What templates get from the family's own keys in a message, the group's values among them."""
    places: Callable[[Mapping[str, object]], Values] = lambda _: {}
    """The reserved keys that a message's own keys stand for: inputs and output."""
    reads: Callable[[Mapping[str, object]], list[object]] = lambda _: []
    """What the family's own worker reads for a message, as `inputs` would name it."""
    own_results: Callable[[Mapping[str, object]], str] = lambda _: ""
    """The template of what is one job's below an output that others share; '' if all of it is."""

    def group(self, message: Mapping[str, object]) -> object:
        """What one job has of its own: names and values, or a single value."""
        return self.parsed(message.get(self.item_key))

    def reserved(self, message: Mapping[str, object]) -> Mapping[str, object]:
        """The message with what its own keys say of inputs and output in the reserved keys."""
        own = self.places(message)
        return {**message, **own} if own else message


def metadata_values(text: str) -> Values | None:
    """The names and values of `Name=value,Name=value`; None if the text has another form."""
    values: Values = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            return None
        values[name.strip()] = value.strip()
    return values


def metadata_place(values: Mapping[str, object], structure: str) -> str:
    """The folder of a CellProfiler job: the structure with each name replaced by its value.

    Longer names are found before shorter ones that they begin with. Without a structure the
    values are joined by `-`.
    """
    shown = {name: templates.plain(value) for name, value in values.items()}
    if not structure or not shown:
        return "-".join(shown.values())
    names = sorted(shown, key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in names)
    return re.sub(pattern, lambda found: shown[found[0]], structure)


def script_arguments(values: Mapping[str, object]) -> str:
    """`name='value', name='value'`: one argument, as Fiji's `--run` takes parameters."""
    return ", ".join(f"{name}='{templates.plain(value)}'" for name, value in values.items())


def _scalars(value: object) -> Values:
    if not isinstance(value, Mapping):
        return {}
    return {str(key): part for key, part in value.items() if templates.is_scalar(part)}


def _text(message: Mapping[str, object], key: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else ""


def _named(item: object) -> str | None:
    named = templates.is_scalar(item) and item not in (None, "")
    return None if named else "a plate is named by a text."


def _is_object(item: object) -> str | None:
    return None if isinstance(item, Mapping) else "a group is an object of names and values."


def _metadata_of(group: object) -> object:
    if isinstance(group, Mapping) and "Metadata" in group:
        return group["Metadata"]
    return group


def _parsed_metadata(item: object) -> object:
    return (metadata_values(item) or item) if isinstance(item, str) else item


def _is_metadata(item: object) -> str | None:
    if isinstance(_parsed_metadata(item), Mapping):
        return None
    return f"its Metadata {str(item)[:60]!r} is not of the form Name=value,Name=value."


def _something_values(message: Mapping[str, object]) -> Values:
    return _scalars(message.get("group"))


def _cellprofiler_values(message: Mapping[str, object]) -> Values:
    values: Values = {"output": message["output"]} if _text(message, "output") else {}
    item = message.get("Metadata")
    group = _scalars(_parsed_metadata(item))
    if not group:
        return values
    joined = ",".join(f"{name}={templates.plain(value)}" for name, value in group.items())
    place = metadata_place(group, _text(message, "output_structure"))
    return {
        **values,
        "metadataID": place,
        **group,
        "Metadata": item if isinstance(item, str) else joined,
    }


def _cellprofiler_places(message: Mapping[str, object]) -> Values:
    if not isinstance(message.get("output", ""), str):
        return {}
    base = _text(message, "output").rstrip("/")
    return {"output": f"{base}/{{metadataID}}" if base else "{metadataID}"}


def _cellprofiler_reads(message: Mapping[str, object]) -> list[object]:
    """The pipeline, and the data file with the images that it names for the job."""
    found: list[object] = []
    if pipeline := _text(message, "pipeline").strip("/"):
        found.append(f"s3://WORKSPACE_BUCKET/{pipeline}")
    data_file = _text(message, "data_file").strip("/")
    place, paths = f"s3://WORKSPACE_BUCKET/{data_file}", message.get("paths", {})
    if data_file.lower().endswith(".csv"):
        where = _scalars(_parsed_metadata(message.get("Metadata")))
        found.append({"csv": place, "where": where, "paths": paths})
    elif data_file.lower().endswith(".txt"):
        found.append({"list": place, "paths": paths})
    elif data_file:
        found.append(place)
    return found


def _fiji_values(message: Mapping[str, object]) -> Values:
    shared = _scalars(message.get("shared_metadata"))
    if "Metadata" not in message:
        return shared
    values = shared | _scalars(message["Metadata"])
    return {**values, "script_arguments": script_arguments(values)}


def _fiji_places(message: Mapping[str, object]) -> Values:
    place = _text(message, "output_file_location")
    return {"output": place} if place and "output" not in message else {}


def _omezarr_values(message: Mapping[str, object]) -> Values:
    return {"plate": message["plate"]} if templates.is_scalar(message.get("plate", ())) else {}


def _omezarr_places(message: Mapping[str, object]) -> Values:
    """The plate's own folder comes in, and all that is made goes to the output location."""
    own: Values = {}
    if "inputs" not in message and (place := _address(message, "input")):
        own["inputs"] = [f"{place}/{{plate}}/"]
    if "output" not in message and (place := _address(message, "output")):
        own["output"] = place
    return own


def _omezarr_reads(message: Mapping[str, object]) -> list[object]:
    """The file of the plate's folder that the converter opens."""
    place, plate = _address(message, "input"), templates.plain(message.get("plate"))
    metadata = _text(message, "path_to_metadata").strip("/")
    return [f"{place}/{plate}/{metadata}".lstrip("/")] if metadata and plate else []


def _omezarr_results(message: Mapping[str, object]) -> str:
    """The plate's own Zarr, as the family's converter names it."""
    return "{plate}.ome.zarr" if "output" in _omezarr_places(message) else ""


def _address(message: Mapping[str, object], side: str) -> str:
    bucket, place = _text(message, f"{side}_bucket"), _text(message, f"{side}_location").strip("/")
    return f"s3://{bucket}/{place}".rstrip("/") if bucket else place


SOMETHING = Family("something", "Distributed-Something", values=_something_values)
CELLPROFILER = Family(
    "cellprofiler",
    "Distributed-CellProfiler",
    item_key="Metadata",
    # `paths` is ours: what beginnings of the data file's paths mean.
    sent=frozenset({"pipeline", "data_file", "input", "output", "output_structure", "paths"}),
    required=("pipeline", "data_file", "input", "output"),
    defaults={"output_structure": ""},
    item_of=_metadata_of,
    problem=_is_metadata,
    parsed=_parsed_metadata,
    values=_cellprofiler_values,
    places=_cellprofiler_places,
    reads=_cellprofiler_reads,
)
FIJI = Family(
    "fiji",
    "Distributed-Fiji",
    item_key="Metadata",
    sent=frozenset({"output_file_location", "shared_metadata"}),
    required=("output_file_location",),
    defaults={"shared_metadata": {}},
    objects=frozenset({"shared_metadata"}),
    problem=_is_object,
    values=_fiji_values,
    places=_fiji_places,
)
OMEZARR = Family(
    "omezarr",
    "Distributed-OMEZarrCreator",
    item_key="plate",
    list_key="plates",
    problem=_named,
    values=_omezarr_values,
    places=_omezarr_places,
    reads=_omezarr_reads,
    own_results=_omezarr_results,
)
FAMILIES = {family.word: family for family in (SOMETHING, CELLPROFILER, FIJI, OMEZARR)}


def family_of_file(keys: Collection[str]) -> Family:
    """The family of a job file with these keys; the form that knows no rules if none fits."""
    if "plates" in keys and "groups" not in keys:
        return OMEZARR
    if "shared_metadata" in keys or "output_file_location" in keys:
        return FIJI
    if "pipeline" in keys and "data_file" in keys:
        return CELLPROFILER
    return SOMETHING


def family_of_message(message: Mapping[str, object]) -> Family:
    """The family of a message, as a worker finds it in the queue."""
    if "group" in message:
        return SOMETHING
    if "Metadata" in message:
        is_fiji = "shared_metadata" in message or "output_file_location" in message
        return FIJI if is_fiji else CELLPROFILER
    return OMEZARR if "plate" in message else SOMETHING


def family_of_line(row: Mapping[str, object]) -> Family:
    """The family of a line of JSON Lines: one whose columns may have any names is no message."""
    family = family_of_message(row)
    if family is OMEZARR:
        return OMEZARR if "input_location" in row and "output_location" in row else SOMETHING
    if family is CELLPROFILER:
        return CELLPROFILER if "pipeline" in row and "data_file" in row else SOMETHING
    return family
