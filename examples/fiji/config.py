# Settings of the fiji example: 2 machines, each with one container.
APP_NAME = "Fiji"
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile; README.md says how.
DOCKERHUB_TAG = "user/distributed-fiji:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"

# Machines.
ECS_CLUSTER = APP_NAME  # a cluster of its own, removed with the run
CLUSTER_MACHINES = 2
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ["m6a.large", "m5.large"]
MACHINE_PRICE = 0.10  # US dollars an hour, at most
EBS_VOL_SIZE = 30  # GiB

# Containers.
DOCKER_CORES = 1  # workers in a container
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 4096  # MB
SECONDS_TO_START = 0

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60  # seconds
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
JOB_RETRIES = 3

# The script: a web address, or s3://your-bucket-name/scripts/spots.ijm for one that you keep there.
SCRIPT_DOWNLOAD_URL = "s3://AWS_BUCKET/scripts/spots.ijm"
EXPECTED_NUMBER_FILES = 1  # files that a job must make to have succeeded

# How a job is run. {script_arguments} is name='value', name='value' of all metadata, in one word.
JOB_DEFAULTS = {
    "command": ["run-script", SCRIPT_DOWNLOAD_URL, "{script_arguments}"],
    "inputs": ["images/{image}.tif"],
    "done_when": {"min_files": EXPECTED_NUMBER_FILES},
    # What ImageJ remembers from one start to the next ends with the job.
    "environment": {"HOME": "{work_dir}"},
}
if SCRIPT_DOWNLOAD_URL.startswith("s3://"):  # the worker brings it, with the rights of its role
    JOB_DEFAULTS["inputs"].append(SCRIPT_DOWNLOAD_URL)
