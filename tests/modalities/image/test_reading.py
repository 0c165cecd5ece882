"""Pictures out of every kind of source come out in one size and mode; what cannot be read says why."""

import gzip
import io
import struct
import tomllib
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from genwright.core import DataError, SpecError
from genwright.core.protocols import Unreadable
from genwright.modalities.condition import Conditioner
from genwright.modalities.conditioning import ConditionConfig
from genwright.modalities.image.attributes import allowed
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.modality import ImageModality
from genwright.modalities.image.pixels import pixels_of

from .pictures import bars, file_of

RED = np.full((8, 8, 3), (250, 10, 10), dtype=np.uint8)


def read(root, path=".", **settings):
    return list(ImageModality().read(ImageSourceConfig(path=path, **settings), root=root))


def one_table(root, path, **settings):
    (found,) = read(root, path, **settings)
    return found


def test_folders_are_labels_and_captions_come_from_a_csv(tmp_path):
    for name in ("cats/a.png", "dogs/b.jpg"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(file_of(RED, "PNG" if name.endswith("png") else "JPEG"))
    (tmp_path / "pets" / "captions.csv").write_text("file,caption,age\ncats/a.png,a red cat,3\ndogs/b.jpg,a dog,5\n")
    rows = one_table(tmp_path, "pets", labels="folder")
    assert rows.column("label").to_pylist() == ["cats", "dogs"]
    assert rows.column("caption").to_pylist() == ["a red cat", "a dog"]
    assert rows.column("age").to_pylist() == [3, 5]
    assert pixels_of(rows).shape == (2, 3, 8, 8)
    np.testing.assert_array_equal(pixels_of(rows)[0], np.moveaxis(RED, -1, 0))


def test_a_picture_that_the_csv_does_not_name_is_an_error(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(file_of(RED))
    (tmp_path / "p" / "captions.csv").write_text("file,caption\nb.png,x\n")
    with pytest.raises(DataError, match="is not named in captions"):
        read(tmp_path, "p")


def test_another_size_is_refused_unless_it_may_be_resized(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(file_of(RED))
    (tmp_path / "p" / "b.png").write_bytes(file_of(np.full((4, 16, 3), 99, dtype=np.uint8)))
    with pytest.raises(DataError, match=r"b\.png has 4x16 pixels, the others 8x8"):
        read(tmp_path, "p")
    table, lost = sorted(read(tmp_path, "p", on_error="drop"), key=lambda one: isinstance(one, Unreadable))
    assert len(table) == 1
    assert lost.reason == "unreadable"
    boxed = pixels_of(one_table(tmp_path, "p", resize="letterbox", background="#0000ff"))[1]
    assert boxed[:, 0, 0].tolist() == [0, 0, 255]
    assert boxed[:, 4, 4].tolist() == [99, 99, 99]
    stretched = pixels_of(one_table(tmp_path, "p", size=(6, 4), resize="stretch"))
    assert stretched.shape == (2, 3, 6, 4)
    assert set(stretched[1].ravel().tolist()) == {99}


def test_what_is_transparent_shows_the_background_and_grey_stays_grey(tmp_path):
    (tmp_path / "p").mkdir()
    clear = np.zeros((4, 4, 4), dtype=np.uint8)
    clear[:2, :, 3] = 255
    (tmp_path / "p" / "a.png").write_bytes(file_of(clear))
    pixels = pixels_of(one_table(tmp_path, "p", background="#102030"))[0]
    assert pixels[:, 0, 0].tolist() == [0, 0, 0]
    assert pixels[:, 3, 3].tolist() == [16, 32, 48]
    (tmp_path / "p" / "a.png").write_bytes(file_of(np.full((4, 4), 77, dtype=np.uint8)))
    assert pixels_of(one_table(tmp_path, "p")).shape == (1, 1, 4, 4)
    assert pixels_of(one_table(tmp_path, "p", mode="rgb")).shape == (1, 3, 4, 4)
    (tmp_path / "p" / "a.png").write_bytes(file_of(np.full((4, 4), 0x4DFF, dtype=np.uint16)))
    assert set(pixels_of(one_table(tmp_path, "p")).ravel().tolist()) == {0x4D}


def test_a_bomb_is_not_unpacked(tmp_path):
    """A PNG that claims far more than it weighs is refused by its header alone."""
    (tmp_path / "bomb.png").write_bytes(_claiming(100_000, 100_000))
    with pytest.raises(DataError, match=r"max_pixels|decompression bomb"):
        read(tmp_path, "bomb.png")
    (tmp_path / "bomb.png").write_bytes(_claiming(9_000, 9_000))
    with pytest.raises(DataError, match=r"9000x9000 pixels, more than max_pixels = 50,000,000"):
        read(tmp_path, "bomb.png")


def _claiming(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("body", [b"", b"no picture", file_of(bars(1, 1)[0][0, 0])[:150]])
def test_what_is_no_picture_is_an_error_or_dropped(tmp_path, body):
    (tmp_path / "a.png").write_bytes(body)
    with pytest.raises(DataError, match="cannot be read as a PNG or JPEG picture") as raised:
        read(tmp_path, "a.png")
    assert "object at" not in raised.value.message
    (lost,) = read(tmp_path, "a.png", on_error="drop")
    assert isinstance(lost, Unreadable)


def test_idx_pairs_pictures_with_the_labels_beside_them(tmp_path):
    values, _ = bars(5, 1)
    pictures = struct.pack(">HBBIII", 0, 8, 3, 5, 16, 16) + values.tobytes()
    labels = struct.pack(">HBBI", 0, 8, 1, 5) + bytes([0, 1, 1, 0, 2])
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    rows = one_table(tmp_path, "train-*", classes=("a", "b", "c"), split="test")
    assert rows.column("label").to_pylist() == ["a", "b", "b", "a", "c"]
    assert set(rows.column("split").to_pylist()) == {"test"}
    np.testing.assert_array_equal(pixels_of(rows), values)
    with pytest.raises(DataError, match="label 2 has no name"):
        read(tmp_path, "train-*", classes=("a", "b"))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures[:-3]))
    with pytest.raises(DataError, match="says it holds 1,280 bytes and does not"):
        read(tmp_path, "train-*")
    huge = struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**31, 2)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(huge))
    with pytest.raises(DataError, match="and does not"):
        read(tmp_path, "train-*")


def test_lines_of_levels_end_in_the_label(tmp_path):
    values, _ = bars(3, 2, side=8)
    lines = [",".join(map(str, [*one.ravel().tolist(), at])) for at, one in enumerate(values)]
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = one_table(tmp_path, "d.csv.gz")
    assert rows.column("label").to_pylist() == ["0", "1", "2"]
    np.testing.assert_array_equal(pixels_of(rows), values)
    with pytest.raises(DataError, match="65 cells in a line"):
        read(tmp_path, "d.csv.gz", size=(5, 7))
    (tmp_path / "d.csv").write_text("1,2,3,300\n")
    with pytest.raises(DataError, match="not between 0 and 255"):
        read(tmp_path, "d.csv")


def mnist_source():
    """The source that the documentation gives for MNIST's digits."""
    page = (Path(__file__).parents[3] / "docs" / "modalities" / "image.md").read_text()
    block = next(part for part in page.split("```toml")[1:] if "mnist_5k" in part).partition("```")[0]
    (source,) = tomllib.loads(block)["data"]["sources"]
    return source


def test_digits_of_mnist_come_out_of_their_archive_with_their_class(tmp_path):
    values, _ = bars(12, 3, side=28)
    lines = "".join(",".join(map(str, [*one.ravel().tolist(), at % 10])) + "\n" for at, one in enumerate(values))
    member = mnist_source()["path"].partition("!")[2]
    with zipfile.ZipFile(tmp_path / "digits.whl", "w") as archive:
        archive.writestr(member, gzip.compress(lines.encode()))
    rows = one_table(tmp_path, f"archive:digits.whl!{member}")
    assert rows.column("label").to_pylist() == [str(at % 10) for at in range(12)]
    np.testing.assert_array_equal(pixels_of(rows), values)


@pytest.mark.network
@pytest.mark.slow
def test_the_real_digits_of_mnist(tmp_path):
    tables = list(ImageModality().read(ImageSourceConfig(**mnist_source()), root=tmp_path))
    labels = [label for table in tables for label in table.column("label").to_pylist()]
    assert sorted(labels) == sorted("0123456789" * 500)
    pixels = pixels_of(tables[0])
    assert pixels.shape[1:] == (1, 28, 28)
    assert (pixels[:, :, 0].max(), pixels.max()) == (0, 255), "ink on a black margin"


def test_parquet_keeps_its_plain_columns(tmp_path):
    body = file_of(RED)
    rows = pa.table({"image": [{"bytes": body, "path": None}] * 2, "label": [1, 0], "who": ["a", "a"], "x": [[1], [2]]})
    pq.write_table(rows, tmp_path / "t.parquet")
    found = one_table(tmp_path, "t.parquet", group_column="who", classes=("no", "yes"))
    assert found.column("label").to_pylist() == ["yes", "no"]
    assert found.column("group").to_pylist() == ["a", "a"]
    assert "x" not in found.column_names
    with pytest.raises(DataError, match="no column 'picture'"):
        read(tmp_path, "t.parquet", image_column="picture")


def test_emoji_are_captioned_by_their_names(tmp_path):
    (tmp_path / "font.ttf").write_bytes(_font({0x1F600: RED, 0x31: RED}))
    rows = one_table(tmp_path, "font.ttf", size=4, resize="letterbox")
    assert rows.column("caption").to_pylist() == ["grinning face"]
    assert pixels_of(rows).shape == (1, 3, 4, 4)
    (tmp_path / "font.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="cannot be read as a font"):
        read(tmp_path, "font.ttf")


def _font(pictures):
    """A font of those bitmaps, one for each code point."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib import newTable
    from fontTools.ttLib.tables import C_B_D_T_, E_B_L_C_
    from fontTools.ttLib.tables import BitmapGlyphMetrics as Metrics

    names = {code: f"u{code:X}" for code in pictures}
    builder = FontBuilder(128)
    builder.setupGlyphOrder([".notdef", *sorted(names.values())])
    builder.setupCharacterMap(names)
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (128, 0)))
    builder.setupHorizontalHeader()
    builder.setupMaxp()
    strike, glyphs = E_B_L_C_.Strike(), {}
    table = E_B_L_C_.eblc_index_sub_table_1(b"", builder.font)
    table.indexFormat, table.imageFormat, table.names, table.locations = 1, 17, sorted(names.values()), None
    for code, name in names.items():
        glyph = C_B_D_T_.cbdt_bitmap_format_17(b"", builder.font)
        glyph.metrics, glyph.imageData = Metrics.SmallGlyphMetrics(), file_of(pictures[code])
        for field in ("height", "width", "BearingX", "BearingY", "Advance"):
            setattr(glyph.metrics, field, 8)
        glyphs[name] = glyph
    strike.indexSubTables = [table]
    size = strike.bitmapSizeTable
    for at in ("hori", "vert"):
        line = E_B_L_C_.SbitLineMetrics()
        for field in E_B_L_C_.sbitLineMetricsFormat.replace("\n", ";").split(";"):
            if ":" in field:
                setattr(line, field.split(":")[0].strip(), 0)
        setattr(size, at, line)
    size.colorRef, size.startGlyphIndex, size.endGlyphIndex = 0, 1, len(names)
    size.ppemX = size.ppemY = 8
    size.bitDepth, size.flags = 32, 1
    for tag, value in (("CBLC", [strike]), ("CBDT", [glyphs])):
        made = newTable(tag)
        made.version = 3.0
        setattr(made, "strikes" if tag == "CBLC" else "strikeData", value)
        builder.font[tag] = made
    body = io.BytesIO()
    builder.font.save(body)
    return body.getvalue()


def test_dicom_keeps_nothing_that_says_who_it_is(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
    for name, patient in (("meier_anna.dcm", "Meier"), ("meier_2.dcm", "Meier"), ("smith.dcm", "Smith")):
        _write_dicom(tmp_path / name, values, patient)
    rows = one_table(tmp_path, "*.dcm", name="scans")
    assert rows.column_names == ["id", "group", "image"]
    text = str(rows.select(["id", "group"]).to_pylist()).lower()
    assert not any(word in text for word in ("meier", "anna", "smith", "dcm"))
    groups = rows.column("group").to_pylist()
    assert groups[0] == groups[1] != groups[2]
    assert pixels_of(rows)[0].min() == 0
    assert pixels_of(rows)[0].max() == 255


def test_dicom_goes_through_its_window_and_inverts_what_is_stored_inverted(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
    _write_dicom(tmp_path / "a.dcm", values, "x", window=(1000, 200))
    shown = pixels_of(one_table(tmp_path, "a.dcm"))[0, 0]
    assert (shown[values <= 850] == 0).all()
    assert (shown[values >= 1150] == 255).all()
    assert 100 < int(shown[values == 1000][0]) < 156
    _write_dicom(tmp_path / "a.dcm", values, "x", photometric="MONOCHROME1")
    assert pixels_of(one_table(tmp_path, "a.dcm"))[0, 0, 0, 0] == 255


def test_dicom_with_text_in_the_picture_is_refused(tmp_path):
    _write_dicom(tmp_path / "a.dcm", np.zeros((8, 8), dtype=np.uint16), "x", burned="YES")
    with pytest.raises(DataError, match="text burned in"):
        read(tmp_path, "a.dcm")
    (tmp_path / "a.dcm").write_bytes(b"none")
    (lost,) = read(tmp_path, "a.dcm", on_error="drop")
    assert isinstance(lost, Unreadable)


SCAN = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50


def test_attributes_of_dicom_become_columns_that_can_be_conditioned_on(tmp_path):
    _write_dicom(tmp_path / "a.dcm", SCAN, "Meier", Modality="CT", PatientSex="F", PatientAge="045Y", KVP="120")
    _write_dicom(tmp_path / "b.dcm", SCAN, "Smith", Modality="MR", PatientSex="M", PatientAge="093Y", EchoTime="2.5")
    _write_dicom(tmp_path / "c.dcm", SCAN, "Wu", Modality="MR", PatientAge="006M", ImageType=["ORIGINAL", "PRIMARY"])
    names = ("Modality", "PatientSex", "PatientAge", "EchoTime", "ImageType", "FlipAngle")
    rows = one_table(tmp_path, "*.dcm", name="scans", dicom_columns=names)
    assert rows.column("Modality").to_pylist() == ["CT", "MR", "MR"]
    assert rows.column("PatientSex").to_pylist() == ["F", "M", None]
    assert rows.column("PatientAge").to_pylist() == [45.0, 90.0, 0.5], "who is older than 89 is of one group"
    assert rows.column("EchoTime").to_pylist() == [None, 2.5, None]
    assert rows.column("ImageType").to_pylist() == [None, None, "ORIGINAL\\PRIMARY"]
    assert rows.schema.field("FlipAngle").type == pa.float64(), "a number stays one where no file has it"
    assert not any(word in str(rows.drop_columns("image").to_pylist()).lower() for word in ("meier", "smith", ".dcm"))
    conditioner = Conditioner.fit([ConditionConfig(column="Modality")], rows=[rows])
    assert conditioner.categories("Modality") == ("CT", "MR")
    assert conditioner.encode(rows).tolist() == [[1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(
    "name",
    ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDate", "StudyDescription", "Rubbish"],
)
def test_attributes_that_may_say_who_it_is_are_refused_by_their_names(name):
    with pytest.raises(SpecError, match=f"dicom_columns: {name} is not read: it may say who a person is"):
        ImageSourceConfig.parse({"path": "*.dcm", "dicom_columns": ["Modality", name]}, where="data.sources.0")


def test_every_attribute_that_is_allowed_exists_and_is_no_name_date_or_identifier():
    from pydicom.datadict import dictionary_VR

    kinds = {"text": {"CS", "LO", "SH"}, "number": {"DS", "IS", "US", "AS"}}
    assert {name for name, kind in allowed().items() if dictionary_VR(name) not in kinds[kind]} == set()
    characteristics = {
        "PatientSex",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "PatientPosition",
        "PatientOrientation",
    }
    assert {name for name in allowed() if "Patient" in name} == characteristics


def test_attributes_of_dicom_are_of_dicom_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(file_of(RED))
    with pytest.raises(SpecError, match="its files are pictures"):
        read(tmp_path, "a.png", dicom_columns=("Modality",))
    with pytest.raises(SpecError, match="format = 'csv'"):
        ImageSourceConfig.parse({"path": "x", "format": "csv", "dicom_columns": ["Modality"]}, where="data.sources.0")


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
def test_an_attribute_that_is_no_number_makes_its_file_unreadable(tmp_path):
    _write_dicom(tmp_path / "a.dcm", SCAN, "x", PatientAge="OLD")
    _write_dicom(tmp_path / "b.dcm", SCAN, "y", PatientAge="050Y")
    lost, table = read(tmp_path, "*.dcm", dicom_columns=("PatientAge",), on_error="drop")
    assert "PatientAge of" in lost.detail
    assert "holds 'OLD'" in lost.detail
    assert table.column("PatientAge").to_pylist() == [50.0]


def test_folders_and_captions_tell_of_dicom_what_they_tell_of_pictures(tmp_path):
    for name, patient in (("ill/a.dcm", "Meier"), ("well/b.dcm", "Smith")):
        (tmp_path / "scans" / name).parent.mkdir(parents=True)
        _write_dicom(tmp_path / "scans" / name, SCAN, patient, Modality="CT")
    captions = tmp_path / "scans" / "captions.csv"
    captions.write_text("file,caption\nill/a.dcm,a shadow\nwell/b.dcm,clear\n")
    rows = one_table(tmp_path, "scans", labels="folder", dicom_columns=("Modality",))
    assert rows.select(["label", "caption", "Modality"]).to_pylist() == [
        {"label": "ill", "caption": "a shadow", "Modality": "CT"},
        {"label": "well", "caption": "clear", "Modality": "CT"},
    ]
    assert rows.column("id").to_pylist() == ["scans: file 1, frame 1", "scans: file 2, frame 1"]
    captions.write_text("file,caption\nill/a.dcm,a shadow\n")
    with pytest.raises(DataError, match=r"b\.dcm is not named in captions"):
        read(tmp_path, "scans")
    captions.write_text("file,Modality\nill/a.dcm,CT\nwell/b.dcm,CT\n")
    with pytest.raises(DataError, match=r"'Modality' is in captions\.csv and in dicom_columns"):
        read(tmp_path, "scans", dicom_columns=("Modality",))


@pytest.mark.parametrize("column", ["PatientName", "patient_id", "Study Date", "Accession number"])
def test_captions_of_dicom_do_not_say_who_it_is(tmp_path, column):
    _write_dicom(tmp_path / "a.dcm", SCAN, "Meier")
    (tmp_path / "captions.csv").write_text(f"file,{column}\na.dcm,x\n")
    with pytest.raises(DataError, match=f"the column '{column}', which may say who a person is"):
        read(tmp_path, ".")


@pytest.mark.parametrize(
    ("folder", "attribute"),
    [("meier", "PatientID"), ("Anna_Oberhuber", "PatientName"), ("acc-77012", "AccessionNumber")],
)
def test_a_folder_that_is_named_after_a_patient_is_no_label(tmp_path, folder, attribute):
    (tmp_path / folder).mkdir()
    told = {"PatientName": "Oberhuber^Anna", "AccessionNumber": "77012"}
    _write_dicom(tmp_path / folder / "a.dcm", SCAN, "Meier", **told)
    with pytest.raises(DataError, match=f"named like its {attribute}") as error:
        read(tmp_path, ".", labels="folder", on_error="drop")
    assert folder not in str(error.value)


def _write_dicom(path, values, patient, *, window=None, photometric="MONOCHROME2", burned="NO", **attributes):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.PatientID, data.PatientName = patient, f"{patient}^Anna"
    data.BurnedInAnnotation, data.PhotometricInterpretation = burned, photometric
    data.Rows, data.Columns, data.SamplesPerPixel = *values.shape, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    if window:
        data.WindowCenter, data.WindowWidth = window
    for name, value in attributes.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes()
    data.save_as(path, enforce_file_format=True)


def test_the_kind_of_a_file_is_asked_for_where_its_name_does_not_tell(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="whose name tells"):
        read(tmp_path, "a.bin")


def test_orientation_is_taken_from_the_camera(tmp_path):
    picture = Image.fromarray(np.full((4, 8, 3), 9, dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert pixels_of(one_table(tmp_path, "a.jpg")).shape == (1, 3, 8, 4)
