# shellcheck shell=bash disable=SC1090
# Runs one job file inside an allocation; sourced by the submit scripts. Settings, all optional, from the environment:
#   ASSAY               the program                                  build/release/assay
#   ASSAY_PROFILE       a file to source first: modules, paths       slurm/profile.sh, if there
#   ASSAY_LAUNCHER      srun or mpirun                               srun
#   ASSAY_MAX_RESTARTS  how often a job may go back to the queue     5
#   ASSAY_COMMAND       run, or sweep for a whole [sweep] in one job     run
# Task N of an array runs cell N of the job file's [sweep].

(($# > 0)) || { echo "usage: sbatch slurm/submit.sbatch JOB.toml [assay run's options]" >&2 && exit 64; }
restarts=${SLURM_RESTART_COUNT:-0} max_restarts=${ASSAY_MAX_RESTARTS:-5}
echo "assay job ${SLURM_JOB_ID}, restart $restarts of at most $max_restarts, on ${SLURM_JOB_NODELIST}: $*"

# Slurm itself requeues a job whose node failed, without asking; a job that takes nodes down must end too
if ((restarts > max_restarts)); then
  echo "assay: restarted $restarts times (at most $max_restarts). Look for the cause above, then submit again" >&2
  exit 70
fi

# Slurm sends USR1 (--signal) before the time limit, TERM when the job is cancelled
asked='' cancelled='' child=''
stop() {
  asked=yes
  [[ -z $child ]] || kill -USR1 "$child"
}
trap 'echo "assay: time is nearly up, asking all ranks to stop" >&2; stop' USR1
trap 'cancelled=yes; stop' TERM

# --- Environment -----------------------------------------------------------------------------------------------

profile=${ASSAY_PROFILE:-${ASSAY_SLURM:-slurm}/profile.sh}
if [[ -e $profile ]]; then
  source "$profile" # module load ..., see docs/cluster.md
elif [[ -n ${ASSAY_PROFILE:-} ]]; then
  echo "assay: $profile: no such profile. Correct ASSAY_PROFILE" >&2
  exit 64
fi
assay=${ASSAY:-build/release/assay}

# Since Slurm 22.05 srun does not take --cpus-per-task over from the batch job
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
# No library starts more threads than were granted. torch's number is the job file's compute.threads
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$SRUN_CPUS_PER_TASK}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}
# HDF5 locks files it opens, which fails or hangs on many parallel file systems. assay has a lock of its own
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}
# Open MPI's way to write files. Its default, ompio, can hang on Lustre; if it does, put this into your profile:
#   export OMPI_MCA_io=romio321

# --- Launcher --------------------------------------------------------------------------------------------------

tasks=${SLURM_NTASKS:-$((SLURM_JOB_NUM_NODES * ${SLURM_NTASKS_PER_NODE:-1}))}
case ${ASSAY_LAUNCHER:-srun} in
  srun) # one rank that fails ends all
    launch=(srun --mpi=pmix --kill-on-bad-exit=1)
    # Every rank sees all GPUs of its node and takes the one of its local rank
    [[ -z ${SLURM_JOB_GPUS:-${SLURM_GPUS_ON_NODE:-}} ]] || launch+=(--gpu-bind=none)
    ;;
  mpirun) # without these settings it takes 8 minutes to notice that a host is gone, with them half a minute
    launch=(mpirun -n "$tasks" --bind-to none
      --mca oob_tcp_keepalive_time 10 --mca oob_tcp_keepalive_intvl 5 --mca oob_tcp_keepalive_probes 4)
    ;;
  *)
    echo "assay: ASSAY_LAUNCHER=$ASSAY_LAUNCHER (not known). Use srun or mpirun" >&2
    exit 64
    ;;
esac

arguments=("${ASSAY_COMMAND:-run}" "$@")
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
  arguments=(sweep "$@" --cell "$SLURM_ARRAY_TASK_ID")
fi

# --- Run, stop, go on ------------------------------------------------------------------------------------------

if [[ -n $asked ]]; then
  echo "assay: told to stop before the start. --time must be well above the seconds in --signal" >&2
  exit 70
fi
# In the background, since bash runs a trap between commands or while it waits, not during a command. The launcher
# passes USR1 on to all ranks: they finish their shards, agree, save and exit with 75. --resume starts anew where
# there is nothing to resume
"${launch[@]}" "$assay" "${arguments[@]}" --resume &
child=$!
while kill -0 "$child" 2>/dev/null; do
  wait "$child" # also returns when a trap has run
done
wait "$child"
code=$? child=''

# 75: stopped with its state saved. 205: mpirun lost a host (srun needs no code: Slurm requeues the job itself).
# Anything else is done, or nothing that another try would mend
if ((code != 75 && code != 205)); then
  exit "$code"
elif [[ -n $cancelled ]]; then
  echo "assay: cancelled with its state saved. The same sbatch command goes on" >&2
elif ((restarts >= max_restarts)); then
  echo "assay: not finished after $restarts restarts (ASSAY_MAX_RESTARTS). The same sbatch command goes on" >&2
else # back to the queue, which also ends this script
  if scontrol requeue "$SLURM_JOB_ID"; then
    sleep 60
  else
    echo "assay: could not be requeued. The same sbatch command goes on" >&2
  fi
fi
exit "$code"
