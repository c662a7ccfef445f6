"""Train the two models on a data set that scikit-learn ships, and write it out as requests.

Runs in the deployments' own environment: what trains is what serves.
"""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "blue/logistic.joblib": make_pipeline(StandardScaler(), LogisticRegression()),
    "green/boosted.joblib": GradientBoostingClassifier(n_estimators=60, random_state=0),
}


def main(folder: Path) -> None:
    data = load_breast_cancer()
    malignant = 1 - data.target  # the data set says 0 for malignant
    train_x, test_x, train_y, test_y = train_test_split(
        data.data, malignant, test_size=0.25, random_state=0
    )
    for name, model in MODELS.items():
        path = folder / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(model.fit(train_x, train_y), path)
        print(f"{name}: {model.score(test_x, test_y):.1%} right on rows it has not seen")
    rows = {"data": data.data.tolist(), "malignant": malignant.tolist()}
    (folder / "rows.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
