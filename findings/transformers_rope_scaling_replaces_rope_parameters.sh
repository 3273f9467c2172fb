#!/usr/bin/env bash
# A config.json of transformers 5 has its rotary settings in rope_parameters. Where a file also has the older rope_scaling,
# as an editor, a script for older versions or a copied recipe adds it, rope_scaling replaces the whole of rope_parameters,
# and a base that stood in rope_parameters falls back to the class's default, without a word. A rope_theta at the top
# level is heeded only where the object that counts has none. So whoever changes the scaling of a model in its file
# changes rope_parameters alone, and whoever reads config.json has three places to read, in this order: rope_scaling,
# rope_parameters, the top level.
#
# Seen with transformers 5.24.0, Llama:
#   rope_parameters of base 500000: theta 500000.0, default
#   the same with rope_scaling linear: theta 10000.0, linear
#   the same with rope_theta 7000 at the top level: theta 500000.0, default
# Fails if they are combined in another way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.24.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import json
import pathlib
import sys

import transformers

folder = pathlib.Path(sys.argv[1])
base = {"model_type": "llama", "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}
CASES = {
    "rope_parameters of base 500000": {},
    "the same with rope_scaling linear": {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "the same with rope_theta 7000 at the top level": {"rope_theta": 7000.0},
}
print(f"transformers {transformers.__version__}")
found = []
for name, keys in CASES.items():
    (folder / "config.json").write_text(json.dumps({**base, **keys}))
    rope = transformers.AutoConfig.from_pretrained(folder).rope_parameters
    found.append((rope["rope_theta"], rope["rope_type"]))
    print(f"{name}: theta {rope['rope_theta']}, {rope['rope_type']}")
expected = [(500000.0, "default"), (10000.0, "linear"), (500000.0, "default")]
assert found == expected, "the settings are combined otherwise now"
PYTHON
