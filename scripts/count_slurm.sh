#!/usr/bin/env bash
# Counts a corpus on a Slurm cluster: every task of the job array counts one shard of it. In the folder of the corpus:
#
#   count=$(sbatch --parsable --array=0-15 count_slurm.sh tokenizer.model shards corpus/*.txt)
#   sbatch --dependency="afterok:$count" --wrap='pdl-train count --merge shards/*.json --output frequency.json'
#
# The second job starts when every shard is there and adds them up. The array must begin at 0. Flags of pdl-train may
# follow, such as --text_document line; put partition, account and memory of your cluster into the lines below.
#SBATCH --job-name=pdl-count
#SBATCH --array=0-15
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --output=pdl-count-%A-%a.log
set -euo pipefail

if [ $# -lt 3 ]; then
  echo "usage: sbatch --array=0-N count_slurm.sh TOKENIZER OUTPUT_FOLDER FILE... [FLAG VALUE]..." >&2
  exit 2
fi
tokenizer=$1
folder=$2
shift 2

mkdir -p "$folder"
# Only a shard of an array that begins at 0 has an index below their number; pdl-train refuses others.
"${PDL_TRAIN:-pdl-train}" count --tokenizer_path "$tokenizer" \
  --num_threads "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --output "$folder/$SLURM_ARRAY_TASK_ID.json" "$@"
