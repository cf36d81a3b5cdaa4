"""How much of an image file is read, inside or outside of a graph."""

# A decoded image of this many pixels takes 400 MB.
MAX_PIXELS = 2**27

# Blocks of a GIF up to the end of its first frame: 33 MB if all are full.
MAX_BLOCKS = 2**17

# How a scan of a JPEG begins; coded pixels never hold these bytes in a row.
SCAN = b"\xff\xda\0"

# A decoder goes over the whole image for each scan, however short the scan. A
# progressive JPEG has about ten.
MAX_SCANS = 1_000
MAX_SCANNED_PIXELS = 20 * MAX_PIXELS


def are_few_scans(scans, pixels):
    """Whether a JPEG of so many scans and pixels is decoded.

    The largest image may have 20 scans, one of 12 million pixels 223.
    """
    return (scans <= MAX_SCANS) & (scans * pixels <= MAX_SCANNED_PIXELS)
