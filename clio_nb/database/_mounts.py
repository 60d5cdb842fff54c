"""Which file systems are in a network: SQLite's log needs memory that all who use a file share, and locks that hold.

Source: "Write-Ahead Logging" (https://sqlite.org/wal.html), and https://sqlite.org/howtocorrupt.html, 2.1.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath, PureWindowsPath
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")  # proc_pid_mountinfo(5)
_NETWORK: Final = re.compile(
    r"nfs4?|cifs|smb[23]?|smbfs|ncpfs|afs|coda|ceph|9p|lustre|gpfs|beegfs|glusterfs|panfs|pvfs2|orangefs|davfs2?|"
    r"vboxsf|vmhgfs|prl_fs|drvfs|"
    r"fuse\.(sshfs|ceph.*|glusterfs|s3fs|gcsfuse|goofys|mount-s3|rclone|davfs2?|blobfuse2?|mfs|moosefs|lizardfs|juicefs|"
    r"vmhgfs-fuse|smbnetfs|curlftpfs|gvfsd-fuse|grpcfuse|osxfs|portal|drive|nfs.*|lustre.*)",
    re.IGNORECASE,
)


def network_of(path: Path) -> str:
    """Return the kind of network file system on which a path is, such as ``nfs4``; an empty text for any other.

    The file system of everything (``/``) does not count: there is no other place then.
    """
    if PureWindowsPath(path).drive.startswith("\\\\"):
        return "a network share"
    try:
        table, place = MOUNTS.read_text(errors="surrogateescape"), PurePath(os.path.realpath(path))
    except (OSError, ValueError):  # not on Linux; no path at all, which is said where it is used
        return ""
    kind, longest = "", 0
    for line in table.splitlines():
        mount, _, about = line.partition(" - ")
        point = PurePath(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount.split(" ")[4]))
        if len(point.parts) >= max(longest, 2) and place.is_relative_to(point):
            kind, longest = about.split(" ")[0], len(point.parts)  # of two at the same point, the later one is seen
    return kind if _NETWORK.fullmatch(kind) else ""
