"""What a measurement depends on besides the programs: processor, memory and versions."""

import glob
import os
import platform
import shutil
import subprocess

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "sentencepiece", "numpy")

PRINT_VERSIONS = """
import importlib.metadata, platform, sys
found = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = "none"
for name, version in found.items():
    print(name, version)
"""


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def cpu_model():
    for line in read_text("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def caches():
    """Sizes of the caches that the first core uses, such as {"L1d": "48K"}."""
    found = {}
    for folder in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        level, kind = read_text(folder + "/level"), read_text(folder + "/type")
        letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
        found[f"L{level}{letter}"] = read_text(folder + "/size")
    return found


def describe_machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_at_start": os.getloadavg()[0],
    }


def busy_seconds():
    """Time that the cores have worked since the start of the machine, all added up.

    Time stolen by other machines on the same hardware is among it.
    """
    fields = read_text("/proc/stat").splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def output_of(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def versions(python, binary):
    """Versions of the packages of a Python, of the compiler and of pdl-train, by name."""
    lines = output_of([python, "-c", PRINT_VERSIONS, *PACKAGES])
    found = dict(line.split(" ", 1) for line in lines)
    found["g++"] = output_of(["g++", "-dumpfullversion"])[0] if shutil.which("g++") else "none"
    if binary:
        found.update(line.split(" ", 1) for line in output_of([binary, "--version"]))
    return found
