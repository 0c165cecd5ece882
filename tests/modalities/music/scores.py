"""Small pieces to read, written here note by note."""

PITCHES = {"Soprano": "E5", "Alto": "G4", "Tenor": "C4", "Bass": "C3"}


def note(pitch, duration, *, tie="", chord=False, voice="1"):
    """A MusicXML note; `pitch` such as F#4, or empty for silence."""
    if pitch:
        alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1:-1], "")
        body = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    else:
        body = "<rest/>"
    ties = "".join(f'<tie type="{kind}"/>' for kind in tie.split())
    return f"<note>{'<chord/>' * chord}{body}<duration>{duration}</duration>{ties}<voice>{voice}</voice></note>"


def measure(*notes, fifths=None, divisions=4):
    """A measure, with key and divisions where `fifths` is given."""
    key = f"<key><fifths>{fifths}</fifths></key><time><beats>4</beats><beat-type>4</beat-type></time>"
    head = "" if fifths is None else f"<attributes><divisions>{divisions}</divisions>{key}</attributes>"
    return f"<measure>{head}{''.join(notes)}</measure>"


def score(parts, *, doctype=""):
    """A score of parts by name, each a list of measures."""
    names = "".join(f'<score-part id="{name}"><part-name>{name}</part-name></score-part>' for name in parts)
    body = "".join(f'<part id="{name}">{"".join(measures)}</part>' for name, measures in parts.items())
    return f'<?xml version="1.0"?>{doctype}<score-partwise><part-list>{names}</part-list>{body}</score-partwise>'


def choir(num_measures=4, *, fifths=0, pitches=PITCHES):
    """Four voices in quarter notes, one pitch each."""
    return score(
        {
            name: [measure(*[note(pitch, 4)] * 4, fifths=fifths if bar == 0 else None) for bar in range(num_measures)]
            for name, pitch in pitches.items()
        }
    )
