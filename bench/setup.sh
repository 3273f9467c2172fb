#!/usr/bin/env bash
# Makes bench/.venv, the Python environment of the programs that pdl-train is compared with. Quick when it is complete.
set -euo pipefail
cd "$(dirname "$0")/.."

# torch is the release that pdl-train is built with (scripts/setup.sh); the others are the newest there are.
TORCH_VERSION=2.13.0

[ -x bench/.venv/bin/python ] || python3 -m venv bench/.venv
bench/.venv/bin/python - "$TORCH_VERSION" <<'PYTHON' && exit
import importlib.metadata, sys
try:
    torch = importlib.metadata.version("torch").split("+")[0]
    for name in ("transformers", "tokenizers", "accelerate", "sentencepiece", "protobuf", "numpy"):
        importlib.metadata.version(name)
except importlib.metadata.PackageNotFoundError:
    sys.exit(1)
sys.exit(torch != sys.argv[1])
PYTHON
echo "installing in bench/.venv" >&2
bench/.venv/bin/python -m pip install --quiet "torch==$TORCH_VERSION" transformers tokenizers accelerate sentencepiece protobuf numpy
