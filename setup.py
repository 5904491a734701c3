"""What pyproject.toml cannot say: packages are discovered in two folders, and conf/ is packaged as recframe.conf."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["recframe", "recframe.*"]), *find_packages("plugins"), "recframe.conf"],
    package_dir={"recframe.conf": "conf", "recframe_plugins": "plugins/recframe_plugins"},
)
