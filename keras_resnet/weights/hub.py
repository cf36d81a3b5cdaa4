"""Files of model repositories by their handles, above all the hub's.

`huggingface_hub` keeps them in its own cache, and knows the token, a mirror
(HF_ENDPOINT) and what to do without a network (HF_HUB_OFFLINE). It does not
check what it has downloaded, so each file's digest is compared here.
"""

import contextlib
import hashlib
import os
import pathlib
import re

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line
from keras_resnet.errors import require
from keras_resnet.weights import kaggle
from keras_resnet.weights.readers import MAX_BYTES

_HF, _KAGGLE = "hf://", "kaggle://"
_HANDLES = {
    _HF: r"hf://(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[^@?#]+))?",
    _KAGGLE: r"kaggle://(?P<name>[\w-]+/[\w-]+/keras/[\w.-]+(?:/\d+)?)",
}
EXPECTED = (
    "hf://OWNER/NAME, hf://OWNER/NAME@REVISION or "
    "kaggle://OWNER/MODEL/keras/NAME"
)
# The hub names a large file by its sha256, and a small one as git does.
_SHA256, _GIT = 64, 40


def is_handle(name):
    """Whether a text names a repository, not a tag or a path."""
    return isinstance(name, str) and name.startswith((_HF, _KAGGLE))


def opened(handle):
    """The files of a repository.

    Args:
        handle: "hf://OWNER/NAME", with "@REVISION" (a branch, a tag or a
            commit) or without, or "kaggle://OWNER/MODEL/keras/NAME".

    Returns:
        An object whose `file(name)` is the path of a file on this machine, or
        None if the repository has no such file.

    Raises:
        keras_resnet.UsageError: if it is no such handle.
    """
    for prefix, pattern in _HANDLES.items():
        found = re.fullmatch(pattern, handle)
        if found and prefix == _HF:
            return HubFiles(handle, found["name"], found["revision"])
        if found:
            return kaggle.KaggleFiles(handle, found["name"])
    raise UsageError(f"Expected {EXPECTED}. Received: {handle!r}.")


class HubFiles:
    """Files of one commit of a repository of the hub.

    Args:
        handle: as the user wrote it, for messages.
        repository: "OWNER/NAME".
        revision: a branch, a tag or a commit; None for the newest.
    """

    def __init__(self, handle, repository, revision):
        self.handle = handle
        self._repository, self._revision = repository, revision
        self._commit = None  # of the first file, once it is here

    def file(self, name):
        """The path of a file in the library's cache, its digest checked.

        Returns:
            `pathlib.Path`; None if the repository has no such file.

        Raises:
            keras_resnet.UsageError: if it is not available: no network and not
                in the cache, no such repository or revision, no access, a
                broken download, or a digest other than the hub's.
        """
        import huggingface_hub as hub
        from huggingface_hub import errors

        try:
            with explained(self.handle):
                path = self._download(hub, name)
        except errors.EntryNotFoundError:
            return None
        self._check(hub, path, name)
        return path

    def _download(self, hub, name):
        import keras_resnet

        asked = dict(
            repo_id=self._repository,
            filename=name,
            revision=self._revision,
            library_name="keras_resnet",
            library_version=keras_resnet.__version__,
        )
        known = hub.try_to_load_from_cache(
            self._repository, name, revision=self._revision
        )
        if known is None and self._commit is None:
            self._require_answer(hub, name)
        if known is hub._CACHED_NO_EXIST and self._commit:
            raise hub.errors.EntryNotFoundError(name)
        found = hub.hf_hub_download(**asked, dry_run=True)
        require(
            (found.file_size or 0) <= MAX_BYTES,
            f"{name} of {self.handle} is larger than {MAX_BYTES} bytes: "
            "not a ResNet.",
        )
        path = pathlib.Path(found.local_path)
        if known != found.local_path:  # not cached, or the branch has moved
            path = pathlib.Path(hub.hf_hub_download(**asked))
        # Later files are of the same commit, whoever pushes meanwhile. The
        # library keeps files in snapshots/COMMIT.
        self._revision = self._commit = path.parent.name
        return path

    def _require_answer(self, hub, name):
        """Asks the server once for a file that the cache knows nothing of.

        If nobody answers, the library itself would ask for half a minute, with
        a line each time.
        """
        url = hub.hf_hub_url(self._repository, name, revision=self._revision)
        try:
            hub.get_hf_file_metadata(url)
        except hub.errors.HfHubHTTPError:
            pass  # the library explains it
        except Exception as error:  # its type depends on the library's client
            raise hub.errors.LocalEntryNotFoundError(str(error)) from error

    def _check(self, hub, path, name):
        expected = self._digest(hub, path, name)
        require(
            len(expected) in (_SHA256, _GIT),
            f"The server gives no digest of {name} of {self.handle}, so it is "
            f"not known to be whole. Received: {expected!r}.",
        )
        found = _computed(path, git=len(expected) == _GIT)
        if found == expected:
            return
        for part in list(_chain(path)):
            part.unlink(missing_ok=True)
        raise UsageError(
            f"{name} of {self.handle} has the digest {found}, the hub says "
            f"{expected}: it was damaged on its way or on this disk. It has "
            "been removed from the cache. Call again."
        )

    def _digest(self, hub, path, name):
        """The hub's digest of a file: the name of what the cache links to.

        If the cache has no links, the server is asked.
        """
        if path.is_symlink():
            return os.path.basename(os.readlink(path))
        url = hub.hf_hub_url(self._repository, name, revision=self._revision)
        with explained(self.handle):
            return hub.get_hf_file_metadata(url).etag or ""


def _chain(path):
    """A path and what it links to, link by link."""
    yield path
    while path.is_symlink():
        path = path.parent / os.readlink(path)
        yield path


def _computed(path, git):
    start = b"blob %d\0" % path.stat().st_size if git else b""
    make = hashlib.sha1 if git else hashlib.sha256
    with path.open("rb") as file:
        digest = make(start, usedforsecurity=not git)
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


@contextlib.contextmanager
def explained(handle):
    """One line for each way in which the hub's library fails.

    Args:
        handle: of the repository, "hf://OWNER/NAME".
    """
    from huggingface_hub import constants
    from huggingface_hub import errors

    endpoint = constants.ENDPOINT
    try:
        yield
    except UsageError:
        raise
    except errors.GatedRepoError as error:
        raise UsageError(
            f"{handle} is gated: ask for access on its page, "
            f"{endpoint}/{handle.removeprefix(_HF)}, and log in with `hf auth "
            "login` or HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"There is no repository {handle} at {endpoint}, or it is private: "
            "then log in with `hf auth login` or HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(
            f"{handle} has no such revision: a branch, a tag or a whole "
            "commit goes behind the @."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise UsageError(
            f"Cannot reach {endpoint}, and the cache does not have all files "
            f"of {handle}. Connect this machine to the network, unset "
            "HF_HUB_OFFLINE, or set HF_ENDPOINT to a mirror."
        ) from error
    except errors.EntryNotFoundError:
        raise
    except Exception as error:  # of the network, of the disk, of the server
        raise UsageError(
            f"{handle} at {endpoint}: {first_line(error).rstrip('.')}. Nothing "
            "was left half done; call again."
        ) from error
