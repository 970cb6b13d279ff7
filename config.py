# The settings of your runs, as plain Python: edit the values, keep the names.
# Every value can be an expression; documentation/step_1_configuration.md says more of each.

# ---- Names ----------------------------------------------------------------------------------
# The root of every name that a run makes in your account: letters, digits, - and _.
APP_NAME = "DistributedSomething"
# The CloudWatch log group of your jobs' output; the machines' own is this name and _perInstance.
LOG_GROUP_NAME = APP_NAME
# The image that runs your jobs: made with worker/Dockerfile, and pushed where AWS can pull it.
DOCKERHUB_TAG = "user/distributed-something:sometag"

# ---- Your account ---------------------------------------------------------------------------
# The region of the queue, the machines and the logs; the bucket belongs there too.
AWS_REGION = "us-east-1"
# A profile of ~/.aws; "default" takes the credentials that the AWS tools would find by themselves.
AWS_PROFILE = "default"
# The key pair with which you could log in to a machine; the fleet file's KeyName is what is used.
SSH_KEY_NAME = "your-key-file.pem"
# The bucket of the jobs' inputs and outputs, of the run records and of the ledger.
AWS_BUCKET = "your-bucket-name"
# Other buckets to read inputs from and write outputs to; "" is AWS_BUCKET.
SOURCE_BUCKET = ""
DESTINATION_BUCKET = ""
# The role whose rights your jobs have; "" is the one that setup_AWS.py made for them.
TASK_ROLE_ARN = ""

# ---- Machines -------------------------------------------------------------------------------
# The ECS cluster that the machines join; made if it does not exist, and removed if a run made it
# (but "default" always stays).
ECS_CLUSTER = "default"
# How many machines, and how many containers on each.
CLUSTER_MACHINES = 3
TASKS_PER_MACHINE = 1
# Instance types; with several, the fleet takes whichever is to be had for less.
MACHINE_TYPE = ["m5.xlarge", "m6a.xlarge"]
# The most to pay, in US dollars, for a machine and hour.
MACHINE_PRICE = 0.10
# Each machine's disk in GiB, 22 at least.
EBS_VOL_SIZE = 30
# "False" gives machines no public address; their subnet then needs another way out.
ASSIGN_IP = "True"
# "cheap" asks for no more machines than give each slot ten jobs and lets machines go as jobs run
# out: it takes longer, and pays for little else than work. "fast" keeps all machines at work.
FINISH = "fast"
# Whoever watches a run stops it in good order once it has cost so many US dollars; 0: never.
MAX_COST = 0
# Machines end this many hours after they were requested, whatever else happens.
MAX_HOURS = 168
# "True": the Lambda that setup_AWS.py made watches each run, and removes it when it is over.
AUTO_MONITOR = "False"
# Who gets a mail when a run has ended or does not go on; "" for nobody.
NOTIFY_EMAIL = ""

# ---- Containers -----------------------------------------------------------------------------
# How many jobs run side by side in a container.
DOCKER_CORES = 4
# A container's share of its machine: 1024 for each core.
CPU_SHARES = DOCKER_CORES * 1024
# A container's memory in MB: less than its machine has, divided by TASKS_PER_MACHINE.
MEMORY = 15000
# Seconds between the starts of a container's workers, for tools that need most memory at their
# start; a rehearsal does not wait for them.
SECONDS_TO_START = 0

# ---- Queue ----------------------------------------------------------------------------------
SQS_QUEUE_NAME = APP_NAME + "Queue"
# Seconds after which the job of a machine that died goes to another. A worker renews it for as
# long as its job runs, so this need not be as long as a job.
SQS_MESSAGE_VISIBILITY = 1 * 60
# Where jobs go that cannot be done; a name, or an ARN.
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
# How often a job may fail; machines that are taken away do not count.
JOB_RETRIES = 10

# ---- Jobs -----------------------------------------------------------------------------------
# Keys for every job file that lacks them, such as {"command": "mytool {input_dir}/{plate}.tif"}.
JOB_DEFAULTS = {}
# "True" leaves out jobs whose output is there already: this many files, each of this size in bytes
# at least, with this text in their names.
CHECK_IF_DONE_BOOL = "False"
EXPECTED_NUMBER_FILES = 1
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ""

# ---- Your own constants ---------------------------------------------------------------------
# What you add here reaches every job as an environment variable of the same name, if it is text or
# a number. Never add a key or a password: give TASK_ROLE_ARN the right instead.
