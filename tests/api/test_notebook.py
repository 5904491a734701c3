"""The notebook of the documents runs, and shows what it says."""

import json
import os

import pytest


@pytest.mark.slow
def test_the_notebook_of_the_documents_runs(project_root, shared_cache, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("RECFRAME_CACHE", str(shared_cache))
    # the kernel imports what this process imports
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", str(project_root)))
    path = project_root / "docs" / "notebooks" / "first_steps.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is stored without outputs"
    cells = list(notebook.cells)
    # the cell with the sweep again, and a mistake
    sweep = next(cell for cell in cells if "recframe.registered(fresh)" in cell.source)
    source = sweep.source.replace("(0.0, 0.9)", "(0.9,)").replace("[*quick,", '[*quick, "evaluation.references=false",')
    again = nbformat.v4.new_code_cell(source)
    mistake = nbformat.v4.new_code_cell('recframe.compose(["agnet=dqn"])', metadata={"tags": ["raises-exception"]})
    notebook.cells += [again, mistake]
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    # libraries warn on standard error when they are imported
    assert [output for output in shown if output.output_type == "error" or output.get("name") == "stdout"] == []
    *_, sweep, plot, recommended = (cell.outputs[-1].data for cell in cells if cell.cell_type == "code" and cell.outputs)
    assert sweep["text/plain"].startswith("{0.0: ")
    assert "0.9: " in sweep["text/plain"]
    assert len(plot["image/png"]) > 5_000
    assert recommended["text/html"].count("<tr>") == 6
    tables = [output.data["text/html"] for output in shown if "text/html" in output.get("data", {})]
    assert "trained" in tables[0]
    assert "oracle" in tables[0]
    (error,) = mistake.outputs
    assert len(error.traceback) == 1
    assert error.traceback[0].startswith("recframe: agnet: the config has no 'agnet'. Did you mean 'agent'?")
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/result.json")]
    origins = [run["plugins"]["components"].get("reward.fresh") for run in runs]
    recorded = [origin for origin in origins if origin is not None]
    assert len(recorded) == 3
    assert all(origin["distribution"] == "session" and origin["version"].startswith("source ") for origin in recorded)
    assert {origin["version"] for origin in recorded} != {"source unknown"}
