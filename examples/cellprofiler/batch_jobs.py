"""The jobs of the Cell Painting steps: what each step's message holds, and for which places.

Pure: names in, messages out. `run_batch_general.py` is the command around it.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from posixpath import join

Message = dict[str, str]

PLATE, WELL, SITE = "plate", "well", "site"
PLATE_FORMATS = {96: (8, 12), 384: (16, 24)}  # rows, columns
FOLDERS = (
    "pipelines", "input", "datafiles", "batchfiles",
    "illum", "images_projected", "qc", "assaydev", "analysis",
)  # fmt: skip


class BadChoice(ValueError):
    """Something was asked for that no job can be made of; the text is for a person."""


@dataclass(frozen=True)
class Step:
    """What is usual for one step."""

    queue: str  # the part of the queue's name after the project
    job: str  # what one job is for
    output: str  # one of FOLDERS
    pipeline: str
    datafile: str
    batchfile: str
    structure: str = ""  # '': the message has none


_ANALYSIS = "Metadata_Plate/analysis/Metadata_Plate-Metadata_Well-Metadata_Site"
_QC = ("QC", "qc", "qc.cppipe", "load_data.csv", "Batch_data_qc.h5")
_ASSAYDEV = (
    "AssayDev", "assaydev", "assaydev.cppipe", "load_data_with_illum.csv", "Batch_data_assaydev.h5",
)  # fmt: skip


def _step(job: str, names: tuple[str, str, str, str, str], structure: str = "") -> Step:
    queue, output, pipeline, datafile, batchfile = names
    return Step(queue, job, output, pipeline, datafile, batchfile, structure)


STEPS = {
    "zproj": Step(
        "Zproj", SITE, "images_projected", "Zproj.cppipe", "load_data_unprojected.csv",
        "Batch_data_zproj.h5", "Metadata_Plate",
    ),
    "illum": Step(
        "Illum", PLATE, "illum", "illum.cppipe", "load_data.csv", "Batch_data_illum.h5",
    ),
    "qc": _step(WELL, _QC),
    "qc_persite": _step(SITE, _QC),
    "assaydev": _step(WELL, _ASSAYDEV),
    "assaydev_persite": _step(SITE, _ASSAYDEV),
    "analysis": Step(
        "Analysis", SITE, "analysis", "analysis.cppipe", "load_data_with_illum.csv",
        "Batch_data_analysis.h5", _ANALYSIS,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Extra:
    """A grouping level below the site, such as a crop of the image."""

    name: str  # without `Metadata_`
    values: tuple[str, ...]


@dataclass(frozen=True)
class Choices:
    """What may differ from the usual; '' is the usual."""

    pipeline: str = ""
    pipeline_path: str = ""
    input_path: str = ""
    output_structure: str = ""
    output_path: str = ""
    datafile_name: str = ""
    datafile_path: str = ""
    use_batch: bool = False
    batchfile_name: str = ""
    batchfile_path: str = ""
    extra: Extra | None = None


def queue_name(step: str, project: str) -> str:
    return f"{project}_{STEPS[step].queue}Queue"


def folders(project: str, batch: str, source: str | None) -> dict[str, str]:
    """Where things are in a bucket: as in the Cell Painting Gallery if there is a `source`."""
    if source is None:
        top, images = join("projects", project), join("projects", project, batch)
    else:
        top = join(project, source)
        images = join(top, "images", batch)
    workspace = join(top, "workspace")
    return {
        "pipelines": join(workspace, "pipelines", batch),
        "input": join(workspace, "qc", batch, "rules"),
        "datafiles": join(workspace, "load_data_csv", batch),
        "batchfiles": join(workspace, "batchfiles", batch) if source is None else "",
        "illum": join(images, "illum"),
        "images_projected": join(images, "images_projected"),
        "qc": join(workspace, "qc", batch, "results"),
        "assaydev": join(workspace, "assaydev", batch),
        "analysis": join(workspace, "analysis", batch),
    }


def plate_wells(plate_format: int, *, pad: bool) -> list[str]:
    """All wells of a 96- or 384-well plate, row by row; raises BadChoice for another one."""
    if plate_format not in PLATE_FORMATS:
        raise BadChoice(f"--plate-format {plate_format} is not 96 or 384: name rows and columns.")
    rows, columns = PLATE_FORMATS[plate_format]
    return grid(string.ascii_uppercase[:rows], range(1, columns + 1), pad=pad)


def grid(rows: Iterable[str], columns: Iterable[int], *, pad: bool) -> list[str]:
    """The wells of these rows and columns: A01, or A1 if they are not padded."""
    columns = list(columns)
    return [f"{row}{column:02d}" if pad else f"{row}{column}" for row in rows for column in columns]


def without(wells: Sequence[str], excluded: Sequence[str]) -> list[str]:
    """The wells but for the excluded ones, however either writes its zeros."""
    out = {_plain(well) for well in excluded}
    if missing := sorted(out - {_plain(well) for well in wells}):
        raise BadChoice(f"--excluded-wells has {', '.join(missing)}, which is in no plate here.")
    return [well for well in wells if _plain(well) not in out]


def messages(
    step: str,
    places: dict[str, str],
    plates: Sequence[str],
    wells: Sequence[str],
    sites: Sequence[str],
    choices: Choices,
) -> Iterator[Message]:
    """The messages of a step, plate by plate; `places` are those of `folders`."""
    usual = STEPS[step]
    if choices.output_structure and not usual.structure:
        raise BadChoice(f"--output-structure is for zproj and analysis; {step} has none.")
    if choices.extra and step != "analysis":
        raise BadChoice(f"--extra-grouping is for analysis; {step} has no level below the site.")
    structure = choices.output_structure or usual.structure
    if choices.extra and not choices.output_structure:
        structure += f"-Metadata_{choices.extra.name}"
    for plate in plates:
        pipeline, datafile = _files(usual, places, plate, choices)
        for metadata in _metadata(usual.job, plate, wells, sites, choices.extra):
            message = {
                "Metadata": metadata,
                "pipeline": pipeline,
                "output": choices.output_path or places[usual.output],
                "input": choices.input_path or places["input"],
                "data_file": datafile,
            }
            yield {**message, "output_structure": structure} if structure else message


def _files(usual: Step, places: dict[str, str], plate: str, choices: Choices) -> tuple[str, str]:
    """The pipeline and the data file of a plate; one batch file is both."""
    if choices.use_batch:
        folder = choices.batchfile_path or places["batchfiles"]
        batchfile = join(folder, choices.batchfile_name or usual.batchfile)
        return batchfile, batchfile
    pipelines = choices.pipeline_path or places["pipelines"]
    datafiles = choices.datafile_path or places["datafiles"]
    return (
        join(pipelines, choices.pipeline or usual.pipeline),
        join(datafiles, plate, choices.datafile_name or usual.datafile),
    )


def _metadata(
    job: str, plate: str, wells: Sequence[str], sites: Sequence[str], extra: Extra | None
) -> Iterator[str]:
    """What each job of a plate is for, as CellProfiler's -g takes it."""
    if job == PLATE:
        yield f"Metadata_Plate={plate}"
        return
    for well in wells:
        of_well = f"Metadata_Plate={plate},Metadata_Well={well}"
        if job == WELL:
            yield of_well
            continue
        for site in sites:
            of_site = f"{of_well},Metadata_Site={site}"
            if extra is None:
                yield of_site
            else:
                yield from (f"{of_site},Metadata_{extra.name}={one}" for one in extra.values)


def _plain(well: str) -> str:
    """A well without leading zeros: A01 and A1 are the same."""
    row = well.rstrip(string.digits)
    column = well[len(row) :]
    return f"{row}{int(column)}" if column else well
