"""Our files in a user's folders: no link is followed and nothing hangs."""

import os

import pytest

from keras_resnet import files

LIES = {
    "nothing": lambda path, other: None,
    "an old file": lambda path, other: path.write_text("older, and longer"),
    "a link": lambda path, other: path.symlink_to(other),
    "a link to nothing": lambda path, other: path.symlink_to("nowhere"),
    "a second name": lambda path, other: os.link(other, path),
    "a pipe": lambda path, other: os.mkfifo(path),
}


@pytest.mark.parametrize("lies", LIES)
def test_what_lies_in_the_way_is_replaced_not_followed(lies, tmp_path):
    other, folder = tmp_path / "precious", tmp_path / "folder"
    other.write_text("mine")
    folder.mkdir()
    LIES[lies](folder / ".unfinished-labels.txt", other)
    files.write_text(folder / "labels.txt", "a\n")
    assert (folder / "labels.txt").read_text() == "a\n"
    assert not (folder / "labels.txt").is_symlink()
    assert other.read_text() == "mine"
    assert os.listdir(folder) == ["labels.txt"]


def test_only_files_are_read_and_only_so_much(tmp_path):
    (tmp_path / "file").write_bytes(b"four")
    (tmp_path / "link").symlink_to("file")
    assert files.read(tmp_path / "link", 4) == b"four"
    with pytest.raises(OSError, match="more than 3 bytes"):
        files.read(tmp_path / "file", 3)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, kind in (("pipe", "pipe"), ("device", "device"), ("", "folder")):
        with pytest.raises(OSError, match=f"it is a {kind}, not a file"):
            files.read(tmp_path / name)
