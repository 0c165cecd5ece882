"""What the released system is made of."""

from genwright.core.errors import DataError
from genwright.core.stage import Artifact, Context
from genwright.systems.manifest import parts_of, read_manifest


def parts(context: Context, /) -> dict[str, Artifact]:
    """The artifacts that the system's manifest names, by what they are in it.

    Raises:
        DataError: one of them was made by no stage that comes before a release.
    """
    by_digest = {artifact.digest: artifact for artifact in context.inputs.values()}
    found = {}
    for name, digest in parts_of(read_manifest(context.inputs["system"].path)).items():
        if digest not in by_digest:
            raise DataError(
                f"the system's {name} is {digest[:12]}, and no stage of this project made it for a release",
                hint="the stage that made it has to have a slot of release.config.PARTS",
            )
        found[name] = by_digest[digest]
    return found
