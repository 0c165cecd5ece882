"""A saved codec, whatever its kind."""

import json
from pathlib import Path

from genwright.core import DataError, component
from genwright.core.protocols import Codec


def load_codec(folder: Path, /) -> Codec:
    """The codec saved in `folder`; its `codec.json` names the kind.

    Raises:
        DataError: the folder holds no readable `codec.json`.
    """
    path = folder / "codec.json"
    try:
        kind = json.loads(path.read_bytes())["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a codec description ({type(error).__name__}: {error})",
            hint="give the folder of a codec artifact, which the fit stage writes",
        ) from None
    codec: Codec = component("codecs", str(kind)).load().load(folder)
    return codec
