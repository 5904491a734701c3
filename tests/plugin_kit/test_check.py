"""`recframe plugins check`: a healthy plugin passes, and each thing that can be wrong with one is found, with what would be right."""

import json
import shutil
from importlib.metadata import distributions
from pathlib import Path

import pytest

from recframe.plugin_kit import checks, configs
from recframe.plugin_kit.components import component_findings
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_kit.project import Project, ProjectError
from recframe.plugin_kit.subjects import UnknownPlugin, subjects
from recframe.plugin_kit.wheel_files import wheel_findings
from recframe.plugin_loader import discover

REWARD = """
    from dataclasses import dataclass
    {imports}
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class Config:
        '''A reward.'''
        scale: float = option(1.0, "factor")

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "shiny", Config, "{factory}", requires={{"signal:click"}}))
"""
IMPLEMENTATION = """
    from recframe.interfaces import Reward

    class Shiny(Reward):
        def __init__(self, config):
            {constructor}

        def __call__(self, transition, catalog):
            return {value}
"""


def reward(imports: str = "", factory: str = "shiny_reward:Shiny") -> str:
    return REWARD.format(imports=imports, factory=factory)


def implementation(value: str, constructor: str = "pass") -> dict[str, str]:
    return {"shiny_reward.py": IMPLEMENTATION.format(value=value, constructor=constructor)}


def failed(findings) -> list[Finding]:
    return [finding for finding in findings if finding.status is Status.FAILED]


@pytest.fixture
def project(generated, tmp_path) -> Path:
    """A project that a test may break."""
    return Path(shutil.copytree(generated, tmp_path / "project"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- the whole command


@pytest.mark.slow
def test_the_folder_of_a_plugin_is_checked_before_it_is_installed(generate, warm_recframe):
    folder = generate("recframe-check-me", "reward", "encoder")
    done = warm_recframe("plugins", "check", str(folder), "--json", check=True)
    (report,) = json.loads(done.stdout)
    assert (report["distribution"], report["version"]) == ("recframe-check-me", "0.1.0")
    assert [(one["status"], one["check"], one["subject"]) for one in report["findings"]] == [
        ("ok", "project", "pyproject.toml"),
        ("ok", "files", "wheel"),
        ("ok", "entry point", "check_me"),
        ("ok", "import", "recframe-check-me"),
        ("ok", "component", "encoder=check_me"),
        ("ok", "component", "reward=check_me"),
        ("ok", "preset", "encoder=check_me_wide"),
        ("ok", "experiment", "check_me"),
    ]


def test_a_plugin_that_ends_its_process_is_reported_and_the_command_exits_with_1(project, warm_recframe):
    edit(project / "src" / "recframe_patience" / "plugin.py", "recframe_interface = 1", "import os\nprint('hello')\nos._exit(3)")
    done = warm_recframe("plugins", "check", str(project))
    assert done.returncode == 1
    assert "FAILED  process  recframe-patience  the plugin ended the process that checks it: exit status 3, hello" in done.stdout
    assert "3 checks, 1 failed" in done.stdout


def test_what_is_neither_a_folder_nor_installed_is_refused(warm_recframe):
    done = warm_recframe("plugins", "check", "recframe-nowhere")
    assert done.returncode == 2
    assert "recframe: 'recframe-nowhere' is neither a folder nor an installed plugin" in done.stderr


# --- which plugins


def test_without_an_argument_the_project_of_the_current_folder_is_checked(generated, project, tmp_path, plugin_site):
    plugin_site.install("shiny", reward())
    assert [(one.name, one.installed) for one in subjects(None, generated)] == [("recframe-patience", False)]
    # a folder that is no project of a plugin: every installed plugin
    assert "shiny" in [one.name for one in subjects(None, tmp_path) if one.installed]
    edit(project / "pyproject.toml", "[project.entry-points.recframe]", "[project.entry-points.other]")
    assert "shiny" in [one.name for one in subjects(None, project)]


def test_a_plugin_is_found_by_the_name_of_its_distribution_or_entry_point(tmp_path, plugin_site):
    plugin_site.install("Shiny-Things", reward(), module="shiny_module")
    info = plugin_site.folder / "Shiny-Things-1.0.dist-info"
    (info / "entry_points.txt").write_text("[recframe]\nglitter = shiny_module\n")
    for name in ("Shiny-Things", "shiny_things", "glitter"):
        assert [one.name for one in subjects(name, tmp_path)] == ["Shiny-Things"]
    with pytest.raises(UnknownPlugin, match=r"'shiny-thing' is neither .* Did you mean 'shiny-things'\?"):
        subjects("shiny-thing", tmp_path)


def test_an_editable_plugin_is_checked_with_its_project(generated, tmp_path, plugin_site):
    plugin_site.install("recframe-patience", "", module="unused")
    info = plugin_site.folder / "recframe-patience-1.0.dist-info"
    (info / "direct_url.json").write_text(json.dumps({"url": generated.as_uri(), "dir_info": {"editable": True}}))
    (subject,) = subjects("recframe-patience", tmp_path)
    assert subject.installed
    assert subject.project is not None
    assert subject.project.folder == generated.resolve()


# --- pyproject.toml


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[project.entry-points.recframe]", "[project.entry-points.else]", "add a table [project.entry-points.recframe] with recframe_pat"),
        ('dependencies = ["recframe', 'dependencies = ["reckframe', 'dependencies lack recframe: add "recframe"'),
        ('["recframe>=', '["recframe>>', "cannot be read"),
        ('version = "0.1.0"\n', "", '[project] needs a version, such as version = "0.1.0"'),
        ('version = "0.1.0"', 'version = "first"', "version 'first' is none; numbers with dots are right"),
    ],
)
def test_a_mistake_in_pyproject_says_what_would_be_right(project, old, new, problem):
    edit(project / "pyproject.toml", old, new)
    assert any(problem in finding.message for finding in failed(Project.read(project).findings()))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[project", "pyproject.toml: not TOML"),
        ("[tool.x]", '[project] needs a name for the distribution, such as name = "recframe-patience"'),
    ],
)
def test_a_pyproject_that_cannot_be_read_is_refused(tmp_path, text, problem):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError) as error:
        subjects(str(tmp_path), tmp_path)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("project = 3", "project is 3; a table is right"),
        ('[project]\nname = "a"\nentry-points = 3', "project.entry-points is 3; a table is right"),
        (
            '[project]\nname = "a"\n[project.entry-points.recframe]\na = 3',
            "project.entry-points.recframe is {'a': 3}; a table of texts is right",
        ),
        ('[project]\nname = "a"\ndependencies = "recframe"', "project.dependencies is 'recframe'; a list of texts is right"),
        ('[project]\nname = "a"\n[build-system]\nrequires = 3', "build-system.requires is 3; a list of texts is right"),
        ('[project]\nname = "a"\n[tool]\nsetuptools = 3', "tool.setuptools is 3; a table is right"),
        (
            '[project]\nname = "a"\n[tool.setuptools.packages.find]\nwhere = "src"',
            "tool.setuptools.packages.find.where is 'src'; a list of texts is right",
        ),
    ],
)
def test_an_entry_of_a_wrong_type_is_refused(tmp_path, text, problem):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError) as error:
        subjects(str(tmp_path), tmp_path)
    assert str(error.value).endswith(problem)


def test_a_version_that_is_none_names_no_folder_elsewhere(tmp_path):
    tables = {"project": {"name": "recframe-a", "version": "1/../../escaped"}}
    (tmp_path / "scratch").mkdir()
    Project(tmp_path, tables).write_metadata(tmp_path / "scratch")
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["recframe_a-0.dist-info"]


def test_packages_are_imported_from_src_or_from_where_setuptools_looks(project):
    assert [path.name for path in Project.read(project).paths] == ["src", "project"]
    (project / "src").rename(project / "lib")
    edit(project / "pyproject.toml", 'where = ["src"]', 'where = ["lib"]')
    assert [path.name for path in Project.read(project).paths] == ["lib", "project"]


# --- the files of the wheel


@pytest.mark.slow
def test_files_that_would_not_be_installed_are_named_with_the_setting_that_installs_them(project):
    (finding,) = wheel_findings(Project.read(project))
    assert (finding.status, finding.message) == (Status.OK, "complete: 15 modules, 6 YAML files")
    edit(project / "pyproject.toml", '"py.typed", "conf/**/*.yaml", ', "")
    package = project / "src" / "recframe_patience"
    (package / "more").mkdir()
    (package / "more" / "module.py").touch()
    data, modules = (finding.message for finding in failed(wheel_findings(Project.read(project))))
    assert "recframe_patience/conf/agent/patience_curious.yaml" in data
    assert 'write recframe_patience = ["conf/**/*.yaml"] below [tool.setuptools.package-data]' in data
    assert modules.startswith("not installed: recframe_patience/more/module.py; add __init__.py")
    # nothing of the build is left in the project
    assert {path.name for path in project.iterdir()} == {".github", ".gitignore", "README.md", "pyproject.toml", "src", "tests"}


def test_a_build_that_fails_and_a_backend_that_is_missing_are_reported(project):
    edit(project / "pyproject.toml", '">=3.11,<3.14"', '"three"')
    (finding,) = wheel_findings(Project.read(project))
    assert finding.status is Status.FAILED
    assert "it cannot be built" in finding.message
    assert "Invalid specifier: 'three'" in finding.message
    edit(project / "pyproject.toml", '"setuptools.build_meta"', '"flat_earth.build"')
    edit(project / "pyproject.toml", '["setuptools>=77"]', '["flat-earth"]')
    (finding,) = wheel_findings(Project.read(project))
    assert finding.status is Status.NOTE
    assert "pip install 'flat-earth'" in finding.message


# --- loading


def test_an_import_of_a_heavy_library_is_found_with_its_line(plugin_site):
    plugin_site.install("shiny", reward("import shiny_config"), files={"shiny_config.py": "import json\nimport sklearn\n"})
    finding = checks._import_finding("shiny")
    assert finding.status is Status.FAILED
    assert f"sklearn is imported by {plugin_site.folder / 'shiny_config.py'}, line 2" in finding.message
    # what sklearn imports in turn is its own matter
    assert "scipy" not in finding.message
    assert "import it in the module of the component's class" in finding.message


def test_a_plugin_that_ends_the_process_when_it_is_imported_is_reported(plugin_site):
    plugin_site.install("shiny", "import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(4)\n")
    assert checks._import_finding("shiny").message == "loading it ended the process: exit status 4, last words"


def test_a_plugin_that_is_left_out_says_why(plugin_site, monkeypatch):
    plugin_site.install("shiny", "import module_that_is_not_there")
    monkeypatch.setattr(checks, "_import_finding", lambda name: Finding(Status.OK, "import", name, ""))
    (finding,) = failed(checks.distribution_findings("shiny", discover(plugin_site.entry_points())))
    assert finding.subject == "shiny"
    assert "it needs the module 'module_that_is_not_there', which is not installed" in finding.message


def test_hooks_are_listed_and_a_package_without_py_typed_gets_a_note(plugin_site):
    files = {"shiny_package/__init__.py": "", "shiny_package/plugin.py": reward()}
    plugin_site.install("shiny", "", module="shiny_package.plugin", files=files)
    found = discover(plugin_site.entry_points())
    hooks, note = checks._loading("shiny", found)
    assert hooks.message == "shiny_package.plugin implements recframe_register_components"
    assert note.status is Status.NOTE
    assert "add an empty file shiny_package/py.typed" in note.message
    (plugin_site.folder / "shiny_package" / "py.typed").touch()
    assert len(list(checks._loading("shiny", found))) == 1


# --- components


@pytest.mark.parametrize(
    ("source", "files", "status", "message"),
    [
        (reward(), implementation("transition.response.signals['click'] * 1"), Status.OK, "conforms ("),
        (reward(), implementation("transition.response.signals['click'].sum()"), Status.FAILED, "must have the shape [8, 1], not []"),
        (reward(), implementation("0", "self.rate = {}['rate']"), Status.FAILED, "rate"),
        (reward(), implementation("0", "self.rate = 1 / 0"), Status.FAILED, "ZeroDivisionError"),
        (reward(factory="shiny_reward:Shine"), implementation("0"), Status.FAILED, "its factory 'shiny_reward:Shine' cannot be imported"),
        (
            reward().replace("signal:click", "attribute:brand"),
            implementation("0"),
            Status.NOTE,
            "requires 'attribute:brand', which the toy data",
        ),
        (reward().replace("1.0, ", "'???', "), {}, Status.NOTE, "its option 'scale' is mandatory; test it with check_component(component"),
    ],
)
def test_each_component_is_checked_by_itself(plugin_site, source, files, status, message):
    plugin_site.install("shiny", source, files=files)
    (finding,) = component_findings("shiny", discover(plugin_site.entry_points()))
    assert (finding.status, finding.subject) == (status, "reward=shiny")
    assert message in finding.message


def test_a_component_whose_name_another_plugin_claims_fails_for_both(plugin_site):
    for name in ("first", "second"):
        plugin_site.install(name, reward())
    found = discover(plugin_site.entry_points())
    for name in ("first", "second"):
        (finding,) = component_findings(name, found)
        assert finding.status is Status.FAILED
        assert "reward 'shiny' is claimed by first 1.0 (plugin 'first') and second 1.0 (plugin 'second')" in finding.message


# --- presets and experiments


@pytest.mark.parametrize(
    ("file", "text", "status", "message"),
    [
        ("agent/mine.yaml", "defaults: [dqn, _self_]\ngamma: 0.5", Status.OK, "composes"),
        ("agent/mine.yaml", "defaults: [dqn, _self_]\ngama: 0.5", Status.FAILED, "gama"),
        ("agent/mine.yaml", "defaults: [dqn, _self_]\ngamma: 2", Status.FAILED, "2.0 is not allowed; it must be >= 0 and <= 1"),
        ("agent/mine.yaml", "defaults: [dqm, _self_]", Status.FAILED, "there is no config 'agent/dqm'. Did you mean 'dqn'?"),
        # it does not go with the default environment, but with another one
        ("agent/mine.yaml", "defaults: [td3, _self_]", Status.OK, "composes"),
        ("dataset/mine.yaml", "defaults: [movielens_format, _self_]", Status.OK, "composes; whoever uses it gives dataset.path"),
        ("experiment/mine.yaml", "# @package _global_\nagent:\n  gamma: 0.5", Status.OK, "composes"),
        ("experiment/mine.yaml", "agent:\n  gamma: 0.5", Status.FAILED, "add '# @package _global_' as its first line"),
        ("experiment/mine.yaml", "# @package _global_\nagent:\n\tgamma: 0.5", Status.FAILED, "line 3: not YAML"),
        ("experiment/mine.yaml", "# @package _global_\ndefaults: [override /reward: [dwell]]", Status.FAILED, "reward=dwell needs"),
        ("trainer/mine.yaml", "env_stepz: 5", Status.FAILED, "env_stepz"),
        ("agnet/mine.yaml", "gamma: 1", Status.NOTE, "recframe has no config group 'agnet'"),
        ("experiment/base/mine.yaml", "# @package _global_\nseed: 1", Status.NOTE, "checked with the files that name it"),
    ],
)
def test_each_yaml_file_is_composed(plugin_site, monkeypatch, file, text, status, message):
    folder = plugin_site.folder / "conf"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text(text)
    paths = f"""
    @hookimpl
    def recframe_config_paths():
        return [{str(folder)!r}]
    """
    plugin_site.install("shiny", reward() + paths)
    built_in = next(one for one in distributions() if one.name == "recframe").entry_points.select(group="recframe")
    found = discover([*built_in, *plugin_site.entry_points()])
    for module in ("search_path", "overrides"):
        monkeypatch.setattr(f"recframe.config.compose.{module}.registry", lambda: found)
    (finding,) = configs.config_findings("shiny", found)
    assert (finding.status, message in finding.message) == (status, True), finding.message


def test_a_config_folder_without_files_fails(plugin_site, tmp_path):
    (tmp_path / "conf").mkdir()
    paths = f"""
    @hookimpl
    def recframe_config_paths():
        return [{str(tmp_path / "conf")!r}]
    """
    plugin_site.install("shiny", reward() + paths)
    (finding,) = configs.config_findings("shiny", discover(plugin_site.entry_points()))
    assert finding.status is Status.FAILED
    assert "there is no YAML file in" in finding.message
