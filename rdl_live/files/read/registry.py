"""All containers that are read: a new one is a file of this package and a line here."""

from rdl_live.files.mrc import is_mrc, open_mrc
from rdl_live.files.read import czi, images, lif, nd2, ndtiff
from rdl_live.files.read.container import Container
from rdl_live.files.tiff_pages import is_tiff
from rdl_live.files.tiff_raw import open_tiff
from rdl_live.files.zarr_raw import is_zarr, open_zarr

CONTAINERS: tuple[Container, ...] = (
    Container("TIFF", lambda _, head: is_tiff(head), open_tiff),
    Container("MRC", lambda _, head: is_mrc(head), open_mrc),
    Container("OME-Zarr", lambda path, head: not head and is_zarr(path), open_zarr),
    nd2.ND2,
    czi.CZI,
    lif.LIF,
    ndtiff.NDTIFF,
    images.FOLDER,  # the last: any folder of images
)
"""In the order in which they are asked."""
