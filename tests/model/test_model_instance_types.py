"""The file of instance types: what a cluster takes is taken, what is wrong is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.model.factories import problems

from verdazul.model.errors import UserError
from verdazul.model.instance_types import known_types
from verdazul.model.kubernetes import BUILT_IN, Amounts, Grant

pytestmark = pytest.mark.azure(169)

HEAD = "apiVersion: amlarc.azureml.com/v1alpha1\n"
SPEC = """\
spec:
  nodeSelector:
    mylabel: mylabelvalue
  resources:
    limits:
      cpu: "1"
      nvidia.com/gpu: 1
      memory: "2Gi"
    requests:
      cpu: "700m"
      memory: "1500Mi"
"""
ONE = f"{HEAD}kind: InstanceType\nmetadata: {{name: myinstancetypename}}\n{SPEC}"
GRANT = Grant(requests=Amounts("700m", "1500Mi"), limits=Amounts("1", "2Gi"))


def listed(*names: str) -> str:
    indented = SPEC.replace("\n", "\n    ")
    items = "".join(f"  - metadata: {{name: {name}}}\n    {indented}\n" for name in names)
    return f"{HEAD}kind: InstanceTypeList\nitems:\n{items}"


def written(folder: Path, text: str) -> Path:
    path = folder / "instance-types.yml"
    path.write_text(text)
    return path


def test_without_a_file_the_default_type_is_there(tmp_path: Path) -> None:
    assert known_types(tmp_path / "none.yml") == BUILT_IN
    assert list(BUILT_IN) == ["defaultinstancetype"]


def test_one_type_is_read(tmp_path: Path) -> None:
    assert known_types(written(tmp_path, ONE)) == {**BUILT_IN, "myinstancetypename": GRANT}


def test_a_list_is_read_and_may_define_the_default_anew(tmp_path: Path) -> None:
    found = known_types(written(tmp_path, listed("cpu-small", "defaultinstancetype")))

    assert found == {"cpu-small": GRANT, "defaultinstancetype": GRANT}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (ONE.replace("v1alpha1", "v2"), 1, "amlarc.azureml.com/v1alpha1"),
        (ONE.replace("kind: InstanceType", "kind: Pod"), 2, "InstanceType or InstanceTypeList"),
        (ONE.replace("myinstancetypename", "My_Type"), 3, "lower-case letters"),
        (ONE.replace('cpu: "1"', "gpus: 1"), 9, "gpus"),
        (ONE.replace('      cpu: "1"\n', ""), 8, "missing key `spec.resources.limits.cpu`"),
        (ONE.replace('memory: "2Gi"', 'memory: "1Gi"'), 14, "more than its limit"),
        (ONE.replace("spec:", "spek:"), 4, "spek"),
        (f"{HEAD}kind: InstanceType\nmetadata: {{name: a}}\n", 0, "missing key `spec`"),
        (f"{HEAD}kind: InstanceTypeList\n", 0, "missing key `items`"),
        (ONE + listed("b").partition("InstanceTypeList\n")[2], 0, "belong to `kind"),
        (listed("twice", "twice"), 0, "instance type twice is there twice"),
        ("kind: [", 0, "instance-types.yml"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(UserError) as caught:
        known_types(path)

    told = " ".join(f"{each.where} {each.message}" for each in problems(caught.value))
    assert said in told
    assert (f"{path}:{line}" if line else str(path)) in told
