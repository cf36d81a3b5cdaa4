"""How much of an image file is read, in a graph as outside of one."""

# A decoded image of so many pixels takes 400 MB.
MAX_PIXELS = 2**27

# Blocks of a GIF up to the end of its first frame: 33 MB in full ones.
MAX_BLOCKS = 2**17

# How a scan of a JPEG begins; coded pixels never hold these bytes in a row.
SCAN = b"\xff\xda\0"

# A decoder goes over the whole image for each scan, however short it is. A
# progressive JPEG has some ten.
MAX_SCANS = 1_000
MAX_SCANNED_PIXELS = 20 * MAX_PIXELS


def are_few_scans(scans, pixels):
    """Whether a JPEG of so many scans and pixels is decoded.

    Of the largest image 20 scans are, of one of 12 million pixels 223.
    """
    return (scans <= MAX_SCANS) & (scans * pixels <= MAX_SCANNED_PIXELS)
