"""Where the frameworks document an API: the one place that knows their sites' addresses."""

from __future__ import annotations

import re

TORCH = "https://pytorch.org/docs"
MINDSPORE = "https://www.mindspore.cn/docs"
NUMPY = "https://numpy.org/doc"
LANGUAGE = {"en": "en", "zh": "zh-CN"}
"""The folder of each of our languages on MindSpore's site; the other sites are in English."""
TORCH_TOGETHER = {
    "torch.special.": "special",
    "torch.distributions.": "distributions",
    "torch.Tensor.T": "tensors",
}
"""APIs by how their names start, and the page of PyTorch's that documents them together."""
_DEVELOPED = re.compile(r"dev|rc|a\d|b\d|\+git", re.IGNORECASE)


def address(framework: str, api: str, version: str, language: str) -> str:
    """Return the address of the official page of `api` in release `version`.

    It is made by rule and not looked up: an undocumented API has one that leads nowhere.  A
    version that is no release, or unknown, gives the page of the development branch.
    """
    release = _release(version)
    if framework == "torch":
        return _torch(api, ".".join(release[:2]) or "main")
    if framework == "mindspore":
        branch = f"r{'.'.join(release)}" if release else "master"
        return f"{MINDSPORE}/{LANGUAGE[language]}/{branch}/api_python/{_folder(api)}/{api}.html"
    return f"{NUMPY}/{'.'.join(release[:2]) or 'devdocs'}/reference/generated/{api}.html"


def _release(version: str) -> list[str]:
    """The numbers of a release, none of what is not one."""
    found = re.match(r"\d+(\.\d+)+", version)
    return found[0].split(".") if found and not _DEVELOPED.search(version) else []


def _torch(api: str, release: str) -> str:
    for start, page in TORCH_TOGETHER.items():
        if api.startswith(start) and (start.endswith(".") or api == start):
            return f"{TORCH}/{release}/{page}.html#{api}"
    return f"{TORCH}/{release}/generated/{api}.html"


def _folder(api: str) -> str:
    """``nn``, ``mint`` for all below it, ``experimental/optim``, ``mindspore`` for the top."""
    modules = api.split(".")[1:-1]
    if not modules or modules == ["Tensor"]:
        return "/".join(["mindspore", *modules])
    return "/".join(modules[: 2 if modules[0] == "experimental" else 1])
