#!/usr/bin/env bash
# Trains a sweep on a Slurm cluster: every task of the job array trains one shard of its cells. In the folder of run.json:
#
#   sbatch --array=0-7 sweep_slurm.sh run.json sweeps/alpha --pdl_alpha 0.25,0.5 --seeds 5
#
# All tasks write into the same folder, on a file system that they share. The last one to end compares the runs. Give the
# same command again after a time limit or a failure: finished cells are kept, the others go on. The array must begin at 0.
# Put partition, account, memory and GPUs of your cluster into the lines below.
#SBATCH --job-name=pdl-sweep
#SBATCH --array=0-7
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --output=pdl-sweep-%A-%a.log
set -euo pipefail

if [ $# -lt 4 ]; then
  echo "usage: sbatch --array=0-N sweep_slurm.sh RUN.JSON OUTPUT_FOLDER --seeds N [FLAG VALUE]..." >&2
  exit 2
fi
config=$1
folder=$2
shift 2

# With exec this task is pdl-train, and the signal ahead of the time limit reaches it, and the cells through it, once.
exec "${PDL_TRAIN:-pdl-train}" sweep --config "$config" --output_dir "$folder" \
  --num_threads "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" "$@"
