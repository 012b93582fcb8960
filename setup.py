"""The rest of pyproject.toml: the folder data/ of the repository is installed as dlcourse/data."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["dlcourse*"]), "dlcourse.data"],
    package_dir={"dlcourse.data": "data"},
    package_data={
        "dlcourse.data": ["*.npz", "*.csv", "*.bz2", "README.md", "licenses/*", "results/*"]
    },
)
