# Sourced by the other scripts, in the repository's root: functions that install what is missing and build. Quick when nothing is missing.

DEBIAN_PACKAGES=(g++ cmake ninja-build ccache pkg-config git python3 python3-venv
  libsentencepiece-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libssl-dev libicu-dev libpcre2-dev
  zlib1g-dev libzstd-dev
  libgtest-dev libgmock-dev)
TORCH_VERSION=2.13.0
CMAKE_ARGS=()

fail() {
  echo "error: $*" >&2
  exit 1
}

install_debian_packages() {
  local missing=() package
  for package in "${DEBIAN_PACKAGES[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "these packages are missing and there is no apt-get: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "run as root, or have these packages installed: ${missing[*]}"
    as_root=(sudo)
  fi
  echo "installing Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Makes .venv and installs requirements of pip there that are not met.
install_python_packages() {
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python - "$@" <<'PYTHON' && return
import importlib.metadata, sys
for requirement in sys.argv[1:]:
    name, _, version = requirement.partition("==")
    try:
        found = importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        sys.exit(1)
    if version and found != version:
        sys.exit(1)
PYTHON
  echo "installing in .venv: $*"
  .venv/bin/python -m pip install --quiet "$@"
}

# LibTorch: the user's own (Torch_DIR or CMAKE_PREFIX_PATH), else the wheel. Sets CMAKE_ARGS.
find_libtorch() {
  if [ -n "${Torch_DIR:-}" ]; then
    CMAKE_ARGS+=("-DTorch_DIR=$Torch_DIR")
    return
  fi
  [ -n "${CMAKE_PREFIX_PATH:-}" ] && return
  install_python_packages "torch==$TORCH_VERSION"
  if [ "$(.venv/bin/python -W ignore -c 'import torch; print(torch.version.cuda is not None)')" = True ] \
    && ! command -v nvcc >/dev/null; then
    fail "pip installed the CUDA build of torch, which needs the CUDA toolkit (nvcc) to build against." \
      "Install the toolkit, or delete .venv and point pip to PyTorch's CPU wheels (PIP_INDEX_URL)."
  fi
}

# configure_and_build PRESET: the build folder is build/PRESET.
configure_and_build() {
  local output  # of interest only where it fails
  output=$(cmake --preset "$1" "${CMAKE_ARGS[@]}" 2>&1) || { printf '%s\n' "$output" >&2; fail "cmake --preset $1 failed"; }
  cmake --build --preset "$1"
}
