"""Whole directories of small files."""


def write_files(folder, contents):
    """Write files into a directory, made if it does not exist, and return the directory.

    Args:
        folder: Path of the directory.
        contents: Bytes by relative path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read_files(folder):
    """Return the content of each file of a directory, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
