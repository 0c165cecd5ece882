"""The nouns of the house. Imports nothing heavier than pydantic."""

from genwright.core.claim import Claim, ClaimDraft, Derivation, Estimate
from genwright.core.config import Config
from genwright.core.errors import (
    CapabilityError,
    DataError,
    DependencyError,
    DivergenceError,
    GateError,
    GenwrightError,
    IntegrityError,
    Interrupted,
    SpecError,
    StorageError,
)
from genwright.core.registry import (
    Component,
    ModalityComponent,
    component,
    component_field,
    kinds,
    load_reference,
    modality_component,
    registered,
    trained_on,
)
from genwright.core.stage import Artifact, Context, Produced, StageResult, StageSpec

__all__ = [
    "Artifact",
    "CapabilityError",
    "Claim",
    "ClaimDraft",
    "Component",
    "Config",
    "Context",
    "DataError",
    "DependencyError",
    "Derivation",
    "DivergenceError",
    "Estimate",
    "GateError",
    "GenwrightError",
    "IntegrityError",
    "Interrupted",
    "ModalityComponent",
    "Produced",
    "SpecError",
    "StageResult",
    "StageSpec",
    "StorageError",
    "component",
    "component_field",
    "kinds",
    "load_reference",
    "modality_component",
    "registered",
    "trained_on",
]
