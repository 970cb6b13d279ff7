# Settings of the CellProfiler example, with the keys of Distributed-CellProfiler.
PROJECT = "Spots"
STEP = "Analysis"  # Zproj, Illum, QC, AssayDev or Analysis: the steps of Cell Painting

# What each step usually needs, for plates of 384 wells and 9 sites.
# A worker renews its hold on a job, so that no timeout has to be as long as a job.
PRESETS = {
    "Zproj": {"machines": 100, "cores": 4, "disk": 30, "start": 60, "files": 1},
    "Illum": {"machines": 5, "cores": 4, "disk": 200, "start": 180, "files": 1},
    "QC": {"machines": 25, "cores": 4, "disk": 30, "start": 60, "files": 2},
    "AssayDev": {"machines": 25, "cores": 4, "disk": 30, "start": 180, "files": 1},
    "Analysis": {"machines": 100, "cores": 3, "disk": 40, "start": 180, "files": 4},
}
USUAL = PRESETS[STEP]

APP_NAME = PROJECT + "_" + STEP
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile and something.py; README.md says how.
DOCKERHUB_TAG = "user/distributed-cellprofiler:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"  # ledger and monitor files
SOURCE_BUCKET = "your-bucket-name"  # images; cellpainting-gallery, for one
WORKSPACE_BUCKET = "your-bucket-name"  # pipelines and data files
DESTINATION_BUCKET = "your-bucket-name"  # results
UPLOAD_FLAGS = ""

# Machines.
ECS_CLUSTER = APP_NAME
CLUSTER_MACHINES = USUAL["machines"]
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ["c5.xlarge", "m5.xlarge"]
MACHINE_PRICE = 0.20
EBS_VOL_SIZE = USUAL["disk"]
DOWNLOAD_FILES = "True"  # 'False', with MOUNT_DRIVER: images are read where they are
ASSIGN_IP = "True"

# Containers.
DOCKER_CORES = USUAL["cores"]
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 7500
SECONDS_TO_START = USUAL["start"]

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60
SQS_DEAD_LETTER_QUEUE = "user_DeadMessages"
JOB_RETRIES = 3

# Watching.
AUTO_MONITOR = "False"
CREATE_DASHBOARD = "False"
CLEAN_DASHBOARD = "False"

# Jobs.
CHECK_IF_DONE_BOOL = "False"
EXPECTED_NUMBER_FILES = USUAL["files"]
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ""

# CellProfiler: something.py reads these.
ALWAYS_CONTINUE = "False"
USE_PLUGINS = "False"
UPDATE_PLUGINS = "False"
PLUGINS_COMMIT = "False"
INSTALL_REQUIREMENTS = "False"
REQUIREMENTS = ""
if str(USE_PLUGINS).lower() == "true":
    INSTALL_SCRIPT = "s3://WORKSPACE_BUCKET/setup/install-plugins.sh"

JOB_DEFAULTS = {
    "environment": {"HOME": "{work_dir}"}
}  # what CellProfiler remembers ends with the job
