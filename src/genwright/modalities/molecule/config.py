"""Settings of the molecule modality, importable at planning: pydantic only."""

from typing import Literal

from pydantic import Field

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig

Property = Literal["logp", "qed", "sa", "weight"]
CHEMNET = "package:fcd_torch==1.0.7!fcd_torch/ChemNet_v0.13_pretrained.pt"
CHEMNET_SHA256 = "63a24aae88c554a7ba6422cffdef3ad7c1befec73f835b70ead04097a1ebed6f"


class MoleculeSourceConfig(FilesConfig):
    """Where molecules come from: SMILES files (a molecule and perhaps its name per line), CSV, Parquet or SDF.

    All but Parquet may be gzipped. `smiles_column` and `id_column` are of CSV and Parquet; without a name the SMILES
    column is the one that is called so. `columns` are numbers that are kept (of an SDF its properties), `properties`
    are computed: Crippen's logP, QED, synthetic accessibility, weight in Da. With `group = "scaffold"` molecules of one
    Murcko scaffold stay in one split. Of a file every `every`-th molecule is read: neighbours in a catalogue are alike,
    so the first ones are no sample of it.
    """

    format: Literal["auto", "smiles", "csv", "parquet", "sdf"] = "auto"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    smiles_column: str | None = None
    id_column: str | None = None
    columns: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    every: int = Field(default=1, ge=1)
    group: Literal["scaffold", "molecule"] = "scaffold"


class MoleculeMetricsConfig(Config):
    """How samples are measured. `fcd = "on"` reads the weights of ChemNet, which `chemnet` names and the pin checks.

    The Fréchet distance is from the first `reference_rows` held-out molecules, and its interval from `fcd_resamples`
    resamples; everything else is against as many held-out molecules as there are samples. Fragments are those of the
    first `fragment_rows` molecules of a side. `folds` are those of the two-sample test. `asked` names the property that
    samples were conditioned on: what they have of it is held against what they were asked for.
    """

    fcd: Literal["on", "off"] = "on"
    chemnet: str = CHEMNET
    chemnet_sha256: str = Field(default=CHEMNET_SHA256, pattern=r"^[0-9a-f]{64}$")
    reference_rows: int = Field(default=10_000, ge=10)
    fcd_resamples: int = Field(default=10, ge=2, le=10_000)
    fragment_rows: int = Field(default=500, ge=10)
    folds: int = Field(default=5, ge=2, le=50)
    asked: Property | None = None


class SmilesCodecConfig(Config):
    """Canonical SMILES cut into atoms, bonds and marks, of which the most frequent neighbours are joined (BPE).

    `vocab_size` counts all tokens but the marks of begin and end; nothing is joined where there are more symbols.
    """

    kind: Literal["molecule-smiles"] = "molecule-smiles"
    vocab_size: int = Field(default=300, ge=2, le=65_536)


class SelfiesCodecConfig(Config):
    """SELFIES symbols joined in the same way: whatever tokens are drawn decode to a molecule."""

    kind: Literal["molecule-selfies"] = "molecule-selfies"
    vocab_size: int = Field(default=300, ge=2, le=65_536)


MOLECULE = ModalityComponent(
    "molecule",
    MoleculeSourceConfig,
    "genwright.modalities.molecule.modality:MoleculeModality",
    accepts=("tokens",),
    extra="molecule",
    codecs={"tokens": "molecule-smiles"},
    metrics=MoleculeMetricsConfig,
    baselines=(("ngram", "molecule-smiles"),),
)
SMILES = Component(
    "molecule-smiles",
    SmilesCodecConfig,
    "genwright.modalities.molecule.codec:SmilesCodec",
    accepts=("tokens",),
    extra="molecule",
    modalities=("molecule",),
)
SELFIES = Component(
    "molecule-selfies",
    SelfiesCodecConfig,
    "genwright.modalities.molecule.codec:SelfiesCodec",
    accepts=("tokens",),
    extra="molecule",
    modalities=("molecule",),
)
