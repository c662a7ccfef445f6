"""What conda calls things and PyPI calls otherwise, or does not have at all.

One idea: a conda package is a distribution for Python (then PyPI has it, mostly under the same
name), or a piece of an operating system (then a virtual environment cannot hold it). `on_pypi`
tells which. Add a name here when somebody meets one that is missing.
"""

from __future__ import annotations

import difflib
import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RENAMED = {
    "arrow-python": "pyarrow",
    "brotli-python": "brotli",
    "brotlipy": "brotli",
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "fbprophet": "prophet",
    "keras-gpu": "keras",
    "matplotlib-base": "matplotlib",
    "mlflow-ui": "mlflow",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "pandas-base": "pandas",
    "psycopg2": "psycopg2-binary",
    "py-lief": "lief",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pyqt": "PyQt5",
    "pytables": "tables",
    "python-blosc": "blosc",
    "python-duckdb": "duckdb",
    "python-fastjsonschema": "fastjsonschema",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "python-kaleido": "kaleido",
    "python-levenshtein": "levenshtein",
    "python-lmdb": "lmdb",
    "python-xxhash": "xxhash",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "pytorch-geometric": "torch-geometric",
    "pyg": "torch-geometric",
    "ray-default": "ray",
    "ruamel-yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-eigen": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "uvicorn-standard": "uvicorn[standard]",
}

_SYSTEM = _words("""
    arrow-cpp autoconf automake blas boost-cpp bzip2 c-ares c-compiler ca-certificates clang clangxx
    coin-or-cbc compilers conda cpuonly cuda cudatoolkit cudatoolkit-dev cudnn curl cxx-compiler
    expat ffmpeg fontconfig fortran-compiler freetype gcc gdal-bin geos gettext gfortran gflags git
    glib glog gmp gnutls go graphviz gxx hdf5 icu intel-openmp java-jdk jpeg keyutils krb5
    kernel-headers lame lapack lcms2 ld-impl-linux-64 lerc llvm llvmlite-llvm lz4-c make mamba
    micromamba mkl mkl-devel mkl-fft mkl-include mkl-random mkl-service mpi mpfr nccl ncurses
    nettle nodejs nomkl numpy-base openblas openh264 openjdk openjpeg openmp openmpi openssl orc
    perl pixman pkg-config proj pthread-stubs python-abi pytorch-cuda pytorch-mutex re2 readline
    snappy spdlog sqlite sysroot-linux-64 tbb tesseract tk tzdata unixodbc unzip utf8proc wget
    xorg-libx11 xz yaml yaml-cpp yarn zeromq zip zlib zlib-ng zstd
""")

# They look like system libraries, and are Python packages all the same
_PYTHON_LIBS = _words(
    "cuda-python libcst libpysal libtmux librosa libsass libsvm libusb1 libvirt-python"
)

_SYSTEM_FORMS = re.compile(
    r"""
      -.*                       # _libgcc_mutex, _openmp_mutex: normalised, the _ is a -
    | .*-(linux|osx|win)-(64|32|aarch64|arm64|ppc64le)
    | cuda-.* | lib.* | binutils.* | gcc-.* | gxx-.* | gst-.* | xorg-.*
    | r-.*                      # R and its packages
    """,
    re.VERBOSE,
)

_POPULAR = _words("""
    accelerate adlfs altair azure-core azure-identity azure-keyvault-secrets azure-storage-blob
    azureml-ai-monitoring azureml-core azureml-defaults azureml-inference-server-http azureml-mlflow
    bitsandbytes boto3 catboost cloudpickle cryptography cython datasets diffusers dill fastapi
    flask gensim grpcio h5py holidays httpx huggingface-hub imbalanced-learn inference-schema
    ipykernel jax jinja2 joblib jsonschema keras langchain lightgbm lightning matplotlib mlflow
    mlflow-skinny networkx nltk numba numpy onnx onnxruntime openai opencv-python
    opencv-python-headless openpyxl optuna pandas peft pillow plotly polars prophet protobuf psutil
    pyarrow pydantic pymongo pyodbc python-dateutil python-dotenv pytorch-lightning pytz pyyaml
    redis regex requests safetensors scikit-image scikit-learn scipy seaborn sentence-transformers
    sentencepiece setuptools shap six skl2onnx skops spacy sqlalchemy statsmodels sympy tabulate
    tensorboard tensorflow tiktoken tokenizers torch torchaudio torchvision tqdm transformers
    typing-extensions umap-learn urllib3 uvicorn wheel xgboost
""")

_WRONG_NAMES = {  # what people import, and what they must install
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "pil": "pillow",
    "pytorch": "torch",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def normalise(name: str) -> str:
    """PyPI's normal form: lower case, runs of `-_.` are one dash."""
    return re.sub(r"[-_.]+", "-", name).lower()


def on_pypi(conda_name: str) -> str | None:
    """The PyPI name of a conda package; None when PyPI cannot have it (a system library)."""
    plain = normalise(conda_name)
    if plain not in _PYTHON_LIBS and (plain in _SYSTEM or _SYSTEM_FORMS.fullmatch(plain)):
        return None
    return _RENAMED.get(plain, conda_name)


def nearest(name: str) -> str | None:
    """The well-known package that was probably meant by a name the index does not have."""
    plain = normalise(name)
    if plain in _WRONG_NAMES:
        return _WRONG_NAMES[plain]
    known = sorted(_POPULAR - {plain})
    return next(iter(difflib.get_close_matches(plain, known, n=1, cutoff=0.8)), None)
