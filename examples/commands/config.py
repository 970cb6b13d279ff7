# Settings of the commands example: each command on the machine type that its line names.
APP_NAME = "Sweep"  # aws-runner's job name: tags are Sweep0, Sweep1, ...
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile; README.md says how.
DOCKERHUB_TAG = "user/distributed-commands:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"

# Machines: each type has a run of its own, with as many machines as it has commands, 20 at most.
RUN_PER_MACHINE_TYPE = "True"
MACHINE_TYPE = ["c5.large", "m5.large", "r5.large"]  # those that jobs.csv names
ON_DEMAND = "False"  # 'True' for machines that AWS does not take away
MACHINE_PRICE = 0.15  # US dollars an hour, at most
ECS_CLUSTER = APP_NAME
CLUSTER_MACHINES = 20
TASKS_PER_MACHINE = 1
EBS_VOL_SIZE = 30  # GiB

# Containers: a command has its machine to itself.
DOCKER_CORES = 1
CPU_SHARES = 2048
MEMORY = 3500  # MB; the smallest of the types must have room for it
INSTALL_SCRIPT = "setup/install.sh"

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60  # seconds
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
JOB_RETRIES = 1  # a command that failed is not run again, unless by `retry`

JOB_DEFAULTS = {
    "shell": True,  # a line is the author's own, for bash
    "inputs": ["commands/"],  # code, and whatever else lies there, for every command
    "timeout": 3600,  # seconds
    "memory_limit": 3000,  # MiB
    "environment": {
        "BASH_ENV": "/usr/local/lib/around-a-command.sh",  # what bash does before the line
        "CODE": "{input_dir}/code",  # where a command starts
        "RESULTS": "results.csv logs/*",  # what is kept of what it leaves there
    },
}
