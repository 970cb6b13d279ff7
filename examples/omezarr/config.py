# Settings of the omezarr example: 1 machine, one container, and a disk for a plate and its copy.
APP_NAME = "OMEZarr"
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile; README.md says how.
DOCKERHUB_TAG = "user/distributed-omezarr:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"

# Machines.
ECS_CLUSTER = APP_NAME  # a cluster of its own, removed with the run
CLUSTER_MACHINES = 1
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ["m6a.large", "m5.large"]
MACHINE_PRICE = 0.10  # US dollars an hour, at most
EBS_VOL_SIZE = 600  # GiB

# Containers.
DOCKER_CORES = 1  # workers in a container
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 7500  # MB
SECONDS_TO_START = 0

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60  # seconds
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
JOB_RETRIES = 3

# How a plate is converted. A flag that the job file sets to false, or leaves out, is not given.
JOB_DEFAULTS = {
    "resolutions": False,
    "tile_width": False,
    "tile_height": False,
    "target-min-size": False,
    "additional_flags": False,
    "command": [
        "convert-plate",
        "{input_dir}/{path_to_metadata}",
        "{output_dir}/{plate}.ome.zarr",
        "resolutions={resolutions}",
        "tile_width={tile_width}",
        "tile_height={tile_height}",
        "target-min-size={target-min-size}",
        "additional_flags={additional_flags}",
    ],
    "done_when": {"json_file": "{plate}.ome.zarr/.zattrs", "json_path": "plate"},
}
