"""Say what is installed, what is missing and how to mend it.

Runs with the standard library alone, so that it can speak when nothing else does. What is needed
stands in pyproject.toml (or, without a clone, in the installed metadata) and nowhere else.
"""

import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PURPOSE = {"": "the library", "torch": "the notebooks", "book": "the site", "dev": "the tests"}
NEEDED = ("", "torch")  # the extras without which a reader cannot run the notebooks
GIB = 2**30
FREE_DISK, FREE_MEMORY = 2 * GIB, 1 * GIB  # a chapter runs in 1 GiB


class Finding(NamedTuple):
    """One line of the report. `mend` is what to do; if it `counts`, the exit code is 1."""

    what: str
    ok: bool
    says: str
    mend: str = ""
    counts: bool = True


def add_arguments(parser):
    parser.add_argument(
        "--all", action="store_true", help="count what builds the site and tests it, too"
    )


def main(args):
    """Print the report; 0 if the course can be used, 1 if something has to be mended."""
    sections = examine(everything=args.all)
    print(report(sections))
    findings = [finding for section in sections.values() for finding in section]
    return int(any(not finding.ok and finding.counts for finding in findings))


def examine(everything=False):
    """All findings, by section. `everything`: the extras book and dev count as well."""
    python, needs = requirements()
    sections = {"Python": [check_python(python)]}
    for extra, purpose in PURPOSE.items():
        counts = everything or extra in NEEDED
        if extra in needs:
            sections[f"For {purpose}"] = check_packages(needs[extra], counts)
    sections["torch and the device"] = check_torch()
    sections["Jupyter"] = check_kernel()
    sections["Data"] = check_data()
    sections["Machine"] = check_machine()
    return {section: findings for section, findings in sections.items() if findings}


def report(sections):
    """The findings as text: a line each, and under each that is not well, what to do."""
    lines = []
    for section, findings in sections.items():
        lines.append(section)
        for finding in findings:
            sign = "ok" if finding.ok else "MEND" if finding.counts else "note"
            lines.append(f"  {sign:5}{finding.what:24}{finding.says}".rstrip())
            lines.extend(f"       -> {line}" for line in finding.mend.splitlines())
    findings = [finding for section in sections.values() for finding in section]
    bad = sum(not finding.ok and finding.counts for finding in findings)
    lines.append(f"{bad} to mend, see MEND." if bad else "All is well: the notebooks can run.")
    return "\n".join(lines)


# ---------------------------------------------------------------------------- what is asked for


def requirements():
    """What Python and which packages are needed: ">=3.11", {extra: [(name, specifier), ...]}."""
    pyproject = ROOT / "pyproject.toml"
    if pyproject.exists():
        text = pyproject.read_text(encoding="utf-8")
        try:
            import tomllib
        except ImportError:  # older than 3.11, which is then the only finding that matters
            return re.search(r'requires-python = "(.*?)"', text).group(1), {}
        project = tomllib.loads(text)["project"]
        texts = {"": project["dependencies"], **project["optional-dependencies"]}
    else:
        project = {"requires-python": metadata.metadata("dlcourse")["Requires-Python"]}
        texts = {}
        for text in metadata.requires("dlcourse"):
            extra = re.search(r"extra == ['\"](\w+)['\"]", text)
            texts.setdefault(extra.group(1) if extra else "", []).append(text)
    return project["requires-python"], {
        extra: [parse_requirement(text) for text in needs] for extra, needs in texts.items()
    }


def parse_requirement(text):
    """`"torch>=2.6,<3; extra == 'torch'"` to `("torch", ">=2.6,<3")`."""
    name, specifier = re.fullmatch(r"([\w.-]+)\s*([^;]*?)\s*(?:;.*)?", text).groups()
    return name, specifier


def satisfies(version, specifier):
    """Whether a version such as "2.13.0+cpu" fits a specifier such as ">=2.6,<3"."""
    compare = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "==": lambda a, b: a == b}
    for part in filter(None, specifier.split(",")):
        operator, bound = re.fullmatch(r"\s*(>=|==|<)\s*(\d[\d.]*)\s*", part).groups()
        if not compare[operator](_release(version), _release(bound)):
            return False
    return True


def _release(version):
    """The numbers of a version, "1.0.4.post1" to (1, 0, 4), without zeros at the end."""
    numbers = [int(n) for n in re.match(r"\d+(\.\d+)*", version).group().split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def pip_install(*what):
    return f"{shlex.quote(sys.executable)} -m pip install {' '.join(map(shlex.quote, what))}"


# -------------------------------------------------------------------------------------- checks


def check_python(specifier):
    version = platform.python_version()
    ok = satisfies(version, specifier)
    says = f"{version}, {sys.executable}"
    mend = f"Install Python {specifier} and make a new environment with it."
    return Finding("Python", ok, says, "" if ok else mend)


def check_packages(needs, counts=True):
    """A finding for each (name, specifier); the last that is amiss says how to mend them all."""
    findings = [_check_package(*need, counts) for need in needs]
    amiss = [i for i, finding in enumerate(findings) if not finding.ok]
    if amiss:
        lock = ROOT / "requirements.lock"
        exact = ["-c", str(lock)] if lock.exists() else []
        mend = pip_install(*exact, *(needs[i][0] + needs[i][1] for i in amiss))
        findings[amiss[-1]] = findings[amiss[-1]]._replace(mend=mend)
    return findings


def _check_package(name, specifier, counts):
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, False, f"is not installed, wanted {specifier}", counts=counts)
    if not satisfies(version, specifier):
        return Finding(name, False, f"{version}, wanted {specifier}", counts=counts)
    return Finding(name, True, version)


# Run in a Python of its own: an import may fail in many ways, and some of them end the process.
ASK_TORCH = """
import json, dlcourse, torch
told = {
    "version": torch.__version__, "threads": torch.get_num_threads(), "built": torch.version.cuda,
    "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    "mps": torch.backends.mps.is_available(),
}
try:
    import torchvision
    told["torchvision"] = torchvision.__version__
    torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
except ImportError as error:
    told["no torchvision"] = str(error)
except RuntimeError as error:
    told["no operators"] = str(error)
print(json.dumps(told))
"""


def check_torch():
    if not importlib.util.find_spec("torch"):
        return []  # said above
    told, error = _ask(ASK_TORCH)
    if error:
        mend = pip_install("--force-reinstall", "--no-cache-dir", "torch", "torchvision")
        return [Finding("torch", False, f"cannot be imported: {error}", mend)]
    return [_torchvision_finding(told), *_device_findings(told)]


def _torchvision_finding(told):
    if "no torchvision" in told:
        says = f"cannot be imported: {told['no torchvision']}"
        return Finding("torchvision", False, says, pip_install("torchvision"))
    pair = f"{told['torchvision']} beside torch {told['version']}"
    wanted = [text for text in metadata.requires("torchvision") or [] if text.startswith("torch=")]
    fits = all(satisfies(told["version"], parse_requirement(text)[1]) for text in wanted)
    if fits and "no operators" not in told:
        return Finding("torchvision", True, pair)
    why = "its compiled operators do not load" if fits else f"it was made for {wanted[0]}"
    mend = (
        "Datasets, transforms and models work all the same once dlcourse is imported; detection\n"
        "operators such as nms do not. A pair that matches, from the same place, mends it."
    )
    return Finding("torchvision", False, f"{pair}: {why}", mend, counts=False)


def _device_findings(told):
    cores = f"{os.cpu_count()} cores, torch uses {told['threads']} threads"
    findings = [Finding("CPU", True, f"{platform.processor() or platform.machine()}, {cores}")]
    findings += [Finding("CUDA", True, name) for name in told["cuda"]]
    if told["mps"]:
        findings.append(Finding("MPS", True, "Apple's GPU"))
    if told["built"] and not told["cuda"]:
        says = f"this torch is built for CUDA {told['built']} and sees no such GPU"
        mend = "Without such a GPU nothing is amiss. With one: does `nvidia-smi` list it?"
        findings.append(Finding("CUDA", False, says, mend, counts=False))
    elif not told["cuda"] and not told["mps"]:
        findings.append(Finding("GPU", True, "none; the whole course runs without"))
    return findings


ASK_KERNEL = """
import json
from jupyter_client.kernelspec import KernelSpecManager
print(json.dumps(KernelSpecManager().get_kernel_spec("python3").argv))
"""


def check_kernel():
    """Does the kernel that notebooks ask for start this Python?"""
    if not importlib.util.find_spec("jupyter_client"):
        return []  # ipykernel, which brings it, is said to be missing above
    argv, error = _ask(ASK_KERNEL)
    mend = f"{shlex.quote(sys.executable)} -m ipykernel install --sys-prefix --name python3"
    if error:
        return [Finding("kernel python3", False, error, mend)]
    if argv[0] not in (sys.executable, "python", "python3"):  # bare names mean Jupyter's own Python
        says = f"starts {argv[0]}, which is not this Python"
        return [Finding("kernel python3", False, says, mend)]
    return [Finding("kernel python3", True, "starts this Python")]


def check_data():
    try:
        from dlcourse import datasets
        from dlcourse.datasets.full import _mnist_files
    except Exception as error:  # NumPy is missing, or broken in one of its many ways
        says = f"cannot be looked at: {str(error).strip().splitlines()[0]}"
        return [Finding("shipped digits", False, says, "See above: NumPy comes first.")]
    try:
        datasets.digits("train")
        findings = [Finding("shipped digits", True, str(datasets.embedded_path("mnist_5k.npz")))]
    except datasets.DataError as error:
        findings = [Finding("shipped digits", False, str(error))]
    folder = datasets.cache_folder()
    unfit = _mnist_files().unfit(folder)
    if not unfit:
        return [*findings, Finding("full MNIST", True, str(folder))]
    if not (folder / "MNIST").exists():
        return [*findings, Finding("full MNIST", True, "not here; only recorded runs use it")]
    mend = "It is fetched again when it is next asked for."
    return [*findings, Finding("full MNIST", False, f"in {folder} {unfit}", mend, counts=False)]


def check_machine():
    free = shutil.disk_usage(ROOT).free
    findings = [
        Finding(
            "free disk", free >= FREE_DISK, f"{free / GIB:.1f} GiB",
            "" if free >= FREE_DISK else f"Make {FREE_DISK // GIB} GiB free.", counts=False,
        )
    ]  # fmt: skip
    memory = _free_memory()
    if memory is not None:
        says, enough = f"{memory / GIB:.1f} GiB", memory >= FREE_MEMORY
        mend = "" if enough else f"Close other programs: a chapter takes {FREE_MEMORY // GIB} GiB."
        findings.append(Finding("free memory", enough, says, mend, counts=False))
    return findings


def _free_memory():
    """Bytes that a new program can have; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(re.search(r"MemAvailable:\s+(\d+) kB", text).group(1)) * 1024
    except (OSError, AttributeError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _ask(code):
    """What a fresh Python prints for the code, read as JSON, and the last line of its error."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    try:
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, "no answer within five minutes"
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1]), ""
    lines = run.stderr.strip().splitlines()
    return None, lines[-1] if lines else f"ended by signal {-run.returncode}"
